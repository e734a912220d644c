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
		name   string
		status pdu.Status
		sender string
		own    bool
	}{
		{"the message's", pdu.InvalidSource, "Other", true},
		{"the type of the message's", pdu.InvalidSrcTON, "Other", true},
		{"the plan of the message's", pdu.InvalidSrcNPI, "Other", true},
		{"the carrier's", pdu.InvalidSource, "", false},
		{"credentials", pdu.InvalidPassword, "Other", false},
	} {
		bubble(t, func(cfg *smpp.Config) { cfg.Sender = "Acme" }, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, refuses(c.status))
			m := text(t, "Your code is {code}")
			m.Step.Sender = c.sender
			if got := r.submit(t, m); got.Class != delivery.Config || got.Own != c.own {
				t.Errorf("%s: Submit = %+v; want Config, the message's own: %t", c.name, got, c.own)
			}
		})
	}
}
