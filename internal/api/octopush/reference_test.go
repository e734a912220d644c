package octopush_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/verify"
)

// The address is personal data: without use for it, nothing of it is kept.
func TestTheEndUsersAddressIsKeptOnlyWhereACheckMayLeaveItOut(t *testing.T) {
	t.Parallel()
	const address = "192.0.2.7"
	for kept, settings := range map[bool]map[string]string{false: nil, true: {"octopush.recipient_ip": "if_present"}} {
		h := startWith(t, options{settings: settings})
		s := h.send(`"recipient_ip":"` + address + `"`)
		record, err := h.store.OTP(t.Context(), verify.Ref{Account: "ops", Origin: "octopush", ID: s.Token})
		h.must(err)
		if !strings.HasPrefix(record.Reference, s.Ticket) || strings.Contains(record.Reference, address) != kept {
			t.Errorf("with the settings %v %q is kept; want the ticket, with the address: %t", settings, record.Reference, kept)
		}
	}
}
