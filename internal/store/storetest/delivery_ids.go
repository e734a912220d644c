package storetest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// byID is the answer of a carrier that knows the message by ref and by our id.
func byID(ref string) delivery.Result {
	return delivery.Result{Class: delivery.Accepted, Ref: ref, ByID: true}
}

// news records a receipt, of the usual carrier if it names none.
func (b *bench) news(r delivery.Receipt) (known, started bool) {
	b.t.Helper()
	if r.Carrier == "" {
		r.Carrier = "double"
	}
	if r.State == undeliverable {
		r.Failure = refused().Failure
	}
	known, started, err := b.Store.RecordReceipt(b.t.Context(), r)
	if err != nil {
		b.t.Fatalf("RecordReceipt: %v", err)
	}
	return known, started
}

func (b *bench) wantIDs(what string, want int) {
	b.t.Helper()
	if got := b.DeliveryIDs(b.t); got != want {
		b.t.Errorf("%s: %d deliveries are kept by their id, want %d", what, got, want)
	}
}

func receiptsByID(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	job := b.one()
	b.record(job, byID("x1"))
	for name, r := range map[string]delivery.Receipt{
		"of another carrier":      {Carrier: "other", ID: job.Dedupe, State: delivered},
		"with another id":         {ID: uuid.NewString(), State: delivered},
		"with an id that is none": {ID: "x", State: delivered},
		"with another ref":        {Ref: "x2", State: delivered},
		"with nothing":            {State: delivered},
	} {
		if known, started := b.news(r); known || started {
			t.Errorf("a receipt %s: known %v, started %v; want neither", name, known, started)
		}
	}
	b.wantKinds(sent.Ref, "SMS DISPATCHED")
	for i, r := range []delivery.Receipt{
		{ID: job.Dedupe, State: delivered},
		{ID: job.Dedupe, State: delivered},
		{Ref: "x1", State: delivered},
		{Ref: "x1", State: undeliverable},
		{ID: job.Dedupe, Ref: "x1", State: undeliverable},
		{ID: job.Dedupe, Ref: "x9", State: delivery.ReceiptTimedOut},
	} {
		if known, started := b.news(r); !known || started {
			t.Errorf("receipt %d: known %v, started %v; want true, false", i+1, known, started)
		}
	}
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS DELIVERED")

	// The other way round, and late.
	failed := b.send(twoSteps())
	job = b.one()
	b.record(job, byID("x2"))
	if _, started := b.news(delivery.Receipt{Ref: "x2", State: delivery.ReceiptTimedOut}); !started {
		t.Error("no step was started after a time-out")
	}
	b.record(b.one(), accepted("v1"))
	for range 2 {
		if known, started := b.news(delivery.Receipt{ID: job.Dedupe, State: undeliverable}); !known || started {
			t.Errorf("late: known %v, started %v; want true, false", known, started)
		}
	}
	b.wantKinds(failed.Ref, "SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "SMS UNDELIVERABLE")

	// An id is surer than a reference that a carrier gave twice.
	older := b.send(order{})
	job = b.one()
	b.record(job, byID("again"))
	b.wall.Add(time.Second)
	newer := b.send(order{})
	b.record(b.one(), byID("again"))
	b.news(delivery.Receipt{ID: job.Dedupe, Ref: "again", State: delivered})
	b.wantKinds(older.Ref, "SMS DISPATCHED", "SMS DELIVERED")
	b.wantKinds(newer.Ref, "SMS DISPATCHED")
}

func idsOfFew(t *testing.T, b *bench) {
	for _, r := range []delivery.Result{
		accepted("r1"), refused(), {Class: delivery.Accepted, ByID: true}, {Class: delivery.Uncertain, Ref: "u1"},
	} {
		b.send(order{})
		job := b.one()
		if r.ByID {
			r.Ref = job.Dedupe
		}
		b.record(job, r)
		b.wantIDs(r.Class.String()+" "+r.Ref, 0)
		if r.ByID {
			if known, _ := b.news(delivery.Receipt{ID: job.Dedupe, State: delivered}); !known {
				t.Error("a receipt by the id that is the reference too is unknown")
			}
		}
	}
	b.send(order{})
	job := b.one()
	b.record(job, accepted("r2"))
	if known, _ := b.news(delivery.Receipt{ID: job.Dedupe, State: delivered}); known {
		t.Error("a receipt names by our id what its carrier knows by its own only")
	}
}

// idsGone ends OTPs in every way that removes them.
func idsGone(t *testing.T, b *bench) {
	const stranger = "+447400123456"
	var ids []string
	send := func(to string) verify.Record {
		sent := b.send(order{to: to})
		job := b.one()
		ids = append(ids, job.Dedupe)
		b.record(job, byID("ref-"+job.OTPID))
		return sent
	}
	send("+447400123457")
	b.wantIDs("one sent", 1)
	b.wall.Add(31 * 24 * time.Hour)
	if n := b.Purge(t, upkeep.Keep(30*24*time.Hour)); n != 1 {
		t.Errorf("purged %d OTPs, want 1", n)
	}
	b.wantIDs("purged", 0)
	gone := send("")
	send(stranger)
	if _, err := b.Store.DeleteOTP(t.Context(), gone.Ref, verify.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	b.wantIDs("one of two deleted", 1)
	to, err := phone.ParseRecipient(stranger)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := b.Store.EraseRecipient(t.Context(), map[string][16]byte{acme: verify.RecipientKey(b.keys, acme, to)}); err != nil || n != 1 {
		t.Errorf("EraseRecipient = %d, %v; want 1", n, err)
	}
	b.wantIDs("the other erased", 0)
	for _, id := range ids {
		if known, _ := b.news(delivery.Receipt{ID: id, State: delivered}); known {
			t.Error("a receipt of an OTP that is gone is known")
		}
	}
}

// lost records that the job's answer was lost, and that it is to be repeated.
func (b *bench) lost(job delivery.Job) {
	b.t.Helper()
	o := delivery.SubmitOutcome{
		Key: job.Key, Carrier: "double", RetryAt: b.wall.Now().Add(2 * time.Second),
		Result: delivery.Result{Class: delivery.Uncertain, Ref: job.Dedupe, Failure: refused().Failure},
	}
	if _, err := b.Store.RecordSubmits(b.t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		b.t.Fatal(err)
	}
}

func earlyReceipt(t *testing.T, b *bench) {
	for name, receipt := range map[string]func(id string) delivery.Receipt{
		"by our id":                     func(id string) delivery.Receipt { return delivery.Receipt{ID: id, State: delivered} },
		"by a reference that is our id": func(id string) delivery.Receipt { return delivery.Receipt{Ref: id, State: delivered} },
		"by both":                       func(id string) delivery.Receipt { return delivery.Receipt{ID: id, Ref: "x1", State: delivered} },
	} {
		sent := b.send(twoSteps())
		job := b.one()
		b.lost(job)
		b.wantKinds(sent.Ref)
		if known, _ := b.news(delivery.Receipt{Carrier: "other", ID: job.Dedupe, State: delivered}); known {
			t.Errorf("%s: another carrier's receipt is known", name)
		}
		for range 2 {
			if known, started := b.news(receipt(job.Dedupe)); !known || started {
				t.Errorf("%s: known %v, started %v; want true, false", name, known, started)
			}
		}
		b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS DELIVERED")
		b.wall.Add(time.Minute)
		if jobs := b.claim("n1"); len(jobs) != 0 {
			t.Errorf("%s: %d deliveries are to be repeated, want 0", name, len(jobs))
		}
		if n, _ := b.endWaits(); n != 0 {
			t.Errorf("%s: %d waits ended, want 0", name, n)
		}
		b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS DELIVERED")
	}

	// While the repetition is under way: what comes of it changes nothing.
	amid := b.send(twoSteps())
	b.lost(b.one())
	b.wall.Add(2 * time.Second)
	again := b.one()
	if _, started := b.news(delivery.Receipt{ID: again.Dedupe, State: undeliverable}); !started {
		t.Error("no step was started after a failure receipt")
	}
	b.record(again, byID("x2"))
	b.record(b.one(), accepted("v1"))
	b.wantKinds(amid.Ref, "SMS DISPATCHED", "SMS UNDELIVERABLE", "VOICE DISPATCHED")

	// After a repetition that gave another reference both are known.
	both := b.send(order{})
	b.lost(b.one())
	b.wall.Add(2 * time.Second)
	again = b.one()
	b.record(again, byID("x3"))
	b.news(delivery.Receipt{ID: again.Dedupe, State: delivered})
	if known, _ := b.news(delivery.Receipt{Ref: "x3", State: undeliverable}); !known {
		t.Error("the repetition's reference is unknown")
	}
	b.wantKinds(both.Ref, "SMS DISPATCHED", "SMS DELIVERED")

	// For an OTP that has ended meanwhile.
	over := b.send(twoSteps())
	job := b.one()
	b.lost(job)
	b.check(over.Ref, rightCode)
	b.news(delivery.Receipt{ID: job.Dedupe, State: delivered})
	b.wantKinds(over.Ref, "VERIFIED", "SMS DISPATCHED", "SMS DELIVERED")
	if n := b.SealedCodes(t, acme, over.ID); n != 0 {
		t.Errorf("%d sealed codes are left", n)
	}

	// For a fallback, which extends its OTP so that its text is true.
	o := twoSteps()
	o.steps[1].Life = 4 * time.Minute
	extended := b.send(o)
	b.record(b.one(), refused())
	job = b.one()
	b.lost(job)
	b.news(delivery.Receipt{ID: job.Dedupe, State: delivered})
	b.wantKinds(extended.Ref, "SMS UNDELIVERABLE", "VOICE DISPATCHED", "VOICE DELIVERED")
	if got, want := b.read(extended.Ref).Expires, b.wall.Now().Add(4*time.Minute); !got.Equal(want) {
		t.Errorf("expires %v, want %v", got, want)
	}
	if got := b.read(extended.Ref).State; got != otp.Active {
		t.Errorf("the OTP is %v, want ACTIVE", got)
	}
}
