package smpp_test

import (
	"testing"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

func TestARefusedSenderIsTheMessagesOwnIfItBroughtItAlong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		status  pdu.Status
		sender  string
		servers bool // the sender is the server's
		own     bool
	}{
		{"the message's", pdu.InvalidSource, "Other", false, true},
		{"the type of the message's", pdu.InvalidSrcTON, "Other", false, true},
		{"the plan of the message's", pdu.InvalidSrcNPI, "Other", false, true},
		{"the message's, of no form", pdu.OK, "no sender at all", false, true},
		{"the carrier's", pdu.InvalidSource, "", false, false},
		{"the carrier's, asked for by the message too", pdu.InvalidSource, "Acme", false, false},
		{"the server's", pdu.InvalidSource, "VERIFY", true, false},
		{"the type of the server's", pdu.InvalidSrcTON, "VERIFY", true, false},
		{"the plan of the server's", pdu.InvalidSrcNPI, "VERIFY", true, false},
		{"the server's, of no form", pdu.OK, "no sender at all", true, false},
		{"credentials", pdu.InvalidPassword, "Other", false, false},
	} {
		bubble(t, func(cfg *smpp.Config) { cfg.Sender = "Acme" }, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, refuses(c.status))
			m := text(t, "Your code is {code}")
			m.Step.Sender, m.DefaultSender = c.sender, c.servers
			if got := r.submit(t, m); got.Class != delivery.Config || got.Own != c.own {
				t.Errorf("%s: Submit = %+v; want Config, the message's own: %t", c.name, got, c.own)
			}
		})
	}
}
