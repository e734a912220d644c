package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/verify"
)

func maySubmit(t *testing.T, b *bench) {
	quarantine := func(verify.Record) {
		if err := b.Store.BeginQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Store.EndQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deletion := func(sent verify.Record) {
		if _, err := b.Store.DeleteOTP(t.Context(), sent.Ref, verify.Idempotency{}); err != nil {
			t.Fatal(err)
		}
	}
	var job delivery.Job
	for _, c := range []struct {
		name string
		end  func(verify.Record)
	}{
		{"a right code", func(sent verify.Record) { b.check(sent.Ref, rightCode) }},
		{"its outcome", func(verify.Record) { b.record(job, accepted("r")) }},
		{"a deletion", deletion},
		{"the release of a quarantine", quarantine},
		{"its time", func(sent verify.Record) { b.wall.Add(sent.Expires.Sub(b.wall.Now())) }},
	} {
		sent := b.send(order{})
		job = b.one()
		for _, want := range []bool{true, false} {
			if may, err := b.Store.MaySubmit(t.Context(), job.Key); may != want || err != nil {
				t.Errorf("MaySubmit = %v, %v; want it until %s ended it", may, err, c.name)
			}
			if want {
				c.end(sent)
			}
		}
	}
	for _, key := range []delivery.Key{{Account: "nobody", OTPID: uuid.NewString(), Seq: 1}, {Account: acme, OTPID: uuid.NewString(), Seq: 1}} {
		if may, err := b.Store.MaySubmit(t.Context(), key); may || err != nil {
			t.Errorf("MaySubmit of %+v = %v, %v; want false", key, may, err)
		}
	}
}
