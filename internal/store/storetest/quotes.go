package storetest

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/verify"
)

// hidesQuotes looks at all that is kept of failures in which a carrier quotes: the
// events and, where the store can tell them, the notes.
func hidesQuotes(t *testing.T, b *bench) {
	b.Store.HideQuotes(verify.Quotes(b.keys))
	stories, ok := b.Store.(report.Store)
	if !ok {
		t.Fatalf("%T is no report.Store", b.Store)
	}
	const number = "+4915112345678"
	answers, receipts := []string{"answer", "receipt in the answer"}, []string{"receipt", "receipt that gives up"}
	all := slices.Concat(answers, receipts)
	for _, c := range []struct {
		binding, code, want string
		ways                []string
	}{
		{"", "131026", "131026", all},
		{"", rightCode, delivery.HiddenCode, all},
		{"", "x" + rightCode + ".1", delivery.HiddenCode, all},
		{"", "err-4915112345678", delivery.HiddenCode, all},
		{"", "015112345678", delivery.HiddenCode, all},
		{"192.0.2.7", rightCode, delivery.HiddenCode, receipts}, // in answers the dispatcher has hidden it
		{"192.0.2.7", "30007", "30007", all},
		{"192.0.2.7", "timeout", "timeout", answers},
	} {
		quoting := otp.Failure{Area: delivery.AreaCarrier, Code: c.code, Text: "absent"}
		ways := map[string]string{} // by the OTP's id
		for _, way := range c.ways {
			ways[b.send(order{to: number, binding: c.binding}).ID] = way
		}
		for _, job := range b.claim("n1") {
			b.quoted(job, ways[job.OTPID], quoting)
		}
		want := quoting
		want.Code = c.want
		for id, way := range ways {
			record, err := stories.OTPRecord(t.Context(), acme, id)
			if err != nil {
				t.Fatal(err)
			}
			kept := failures(record)
			if len(kept) == 0 || slices.ContainsFunc(kept, func(f otp.Failure) bool { return f != want }) {
				t.Errorf("%s with code %q of binding %q: kept as %+v, want %+v alone", way, c.code, c.binding, kept, want)
			}
		}
	}
}

// quoted records that a carrier failed a job in one of hidesQuotes' ways.
func (b *bench) quoted(job delivery.Job, way string, why otp.Failure) {
	b.t.Helper()
	o := delivery.SubmitOutcome{Key: job.Key, Carrier: "double", Result: accepted("r-" + job.OTPID)}
	var rec *delivery.Receipt
	switch way {
	case "answer":
		o.Result = delivery.Result{Class: delivery.Permanent, Failure: why}
		o.Tries = []delivery.Try{
			{Carrier: "other", At: b.wall.Now(), Passed: delivery.PassedFailing, Failure: why, Place: 1, Of: 2},
			{Carrier: "double", At: b.wall.Now(), Class: delivery.Permanent, Failure: why, Place: 2, Of: 2},
		}
	case "receipt":
		rec = &delivery.Receipt{Carrier: "double", Ref: o.Result.Ref, State: undeliverable, Failure: why}
	case "receipt that gives up":
		rec = &delivery.Receipt{Carrier: "double", Ref: o.Result.Ref, State: delivery.ReceiptTimedOut, Failure: why}
	case "receipt in the answer":
		o.Result.Receipt = &delivery.Receipt{State: delivery.ReceiptTimedOut, Failure: why}
	}
	if _, err := b.Store.RecordSubmits(b.t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		b.t.Fatalf("RecordSubmits: %v", err)
	}
	if rec == nil {
		return
	}
	if known, _, err := b.Store.RecordReceipt(b.t.Context(), *rec); !known || err != nil {
		b.t.Fatalf("RecordReceipt = %v, %v", known, err)
	}
}

// failures returns every failure that is kept of an OTP's deliveries.
func failures(of report.Record) (all []otp.Failure) {
	for _, e := range of.Events {
		if e.Failure != nil {
			all = append(all, *e.Failure)
		}
	}
	for _, d := range of.Deliveries {
		for _, t := range d.Tries {
			all = append(all, t.Failure)
		}
		if d.GaveUp != nil {
			all = append(all, d.GaveUp.Failure)
		}
	}
	return all
}
