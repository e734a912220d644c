package storetest

import (
	"testing"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

func hidesQuotes(t *testing.T, b *bench) {
	b.Store.HideQuotes(verify.Quotes(b.keys))
	const number = "+4915112345678"
	failure := func(code string) otp.Failure {
		return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: "absent"}
	}
	for _, c := range []struct{ binding, code, want string }{
		{"", "131026", "131026"},
		{"", rightCode, delivery.HiddenCode},
		{"", "x" + rightCode + ".1", delivery.HiddenCode},
		{"", "err-4915112345678", delivery.HiddenCode},
		{"", "015112345678", delivery.HiddenCode},
		{"192.0.2.7", rightCode, delivery.HiddenCode},
		{"192.0.2.7", "30007", "30007"},
	} {
		answered, received := b.send(order{to: number, binding: c.binding}), b.send(order{to: number, binding: c.binding})
		for _, job := range b.claim("n1") {
			if job.OTPID == answered.ID {
				b.record(job, delivery.Result{Class: delivery.Permanent, Failure: failure(c.code)})
			} else {
				b.record(job, accepted("r-"+job.OTPID))
			}
		}
		r := delivery.Receipt{Carrier: "double", Ref: "r-" + received.ID, State: undeliverable, Failure: failure(c.code)}
		if known, _, err := b.Store.RecordReceipt(t.Context(), r); !known || err != nil {
			t.Fatalf("RecordReceipt = %v, %v", known, err)
		}
		for who, ref := range map[string]verify.Ref{"answer": answered.Ref, "receipt": received.Ref} {
			events, err := b.Store.Events(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if last := events[len(events)-1]; last.Failure == nil || last.Failure.Code != c.want || last.Failure.Text != "absent" {
				t.Errorf("%s with code %q of binding %q: told as %+v, want %q", who, c.code, c.binding, last.Failure, c.want)
			}
		}
	}
}
