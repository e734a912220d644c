package smpp_test

import (
	"testing"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

func TestASubmitThatMayHaveBeenTakenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	for code, behave := range map[string]func(*peer, pdu.PDU){
		"timeout":    func(*peer, pdu.PDU) {},
		"connection": func(p *peer, _ pdu.PDU) { _ = p.conn.Close() },
		"answer":     func(p *peer, q pdu.PDU) { p.send(pdu.PDU{ID: pdu.GenericNack, Seq: q.Seq}) },
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, behave)
			got := r.submit(t, text(t, "{code}"))
			if got.Class != delivery.Uncertain || got.Failure.Area != delivery.AreaCarrier || got.Failure.Code != code || got.Failure.Text == "" {
				t.Errorf("Submit = %+v; want Uncertain for %s", got, code)
			}
		})
	}
}
