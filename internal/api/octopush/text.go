package octopush

import (
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/message"
)

// maxText is the most characters of a message: eight concatenated SMS.
const maxText = 1224

// compose makes the message (Octopush OTP §3.1): the request's text, or the
// account's, with the code at its end if it is nowhere else, cut where it is too
// long. expires is when the code is over, told as a time of day.
func compose(c *call, channel message.Channel, codeLength int, expires time.Time) message.Template {
	zone, err := time.LoadLocation(c.account.Setting(account.SettingTimezone))
	if err != nil {
		zone = time.UTC
	}
	text := message.Parse(c.in.text("text"), []message.Placeholder{
		{Token: "{code}", Code: true},
		{Token: "{hh:mm:ss}", Value: expires.In(zone).Format(time.TimeOnly)}, //nolint:gosec // no credential
	})
	if channel == message.Voice {
		codeLength = 3*codeLength - 2 // spoken character by character
	}
	return text.EnsureCode().CutText(maxText, codeLength)
}
