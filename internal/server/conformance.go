package server

import (
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/guard"
)

// mostRetention is how long personal data may be kept (P-04).
const mostRetention = 30 * 24 * time.Hour

// looser returns what the operator's settings loosen of docs/security.md, for the
// console to show. Their defaults loosen nothing.
func looser(c config.Config) (notices []string) {
	say := func(loosens bool, what, setting string) {
		if loosens {
			notices = append(notices, fmt.Sprintf("Not conformant: %s (%s).", what, setting))
		}
	}
	say(c.CallbackAllowPrivate, "callbacks may go to loopback and private addresses", "callback_allow_private")
	say(c.AllowQueryKey, "API keys are read from the query of URLs too", "allow_query_key")
	say(c.SendsPerRecipient == 0, "how much may be sent to one recipient is not limited", "sends_per_recipient")
	say(c.SendsPerRecipient > guard.SendsPerRecipient,
		fmt.Sprintf("more than %d sends to one recipient are accepted in 10 minutes", guard.SendsPerRecipient), "sends_per_recipient")
	say(c.Retention > mostRetention, "OTPs and recipients are kept for more than 30 days", "retention")
	set, most := c.V4, tyntecv4.DefaultLimits()
	say(set.MaxAttempts > most.MaxAttempts, fmt.Sprintf("profiles may allow more than %d attempts", most.MaxAttempts), "v4.max_attempts")
	say(set.MaxMinutes > most.MaxMinutes, fmt.Sprintf("codes may live for more than %d minutes", most.MaxMinutes), "v4.max_minutes")
	say(set.ListLimit > most.ListLimit, fmt.Sprintf("lists have more than %d OTPs", most.ListLimit), "v4.list_limit")
	say(set.HeaderCount > most.HeaderCount, fmt.Sprintf("callbacks may have more than %d headers", most.HeaderCount), "v4.callback_headers")
	say(set.HeaderValue > most.HeaderValue,
		fmt.Sprintf("headers of callbacks may have more than %d characters", most.HeaderValue), "v4.callback_header_value_length")
	return notices
}
