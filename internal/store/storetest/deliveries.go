package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

const (
	delivered     = delivery.ReceiptDelivered
	undeliverable = delivery.ReceiptUndeliverable
)

func twoSteps() order {
	return order{steps: []delivery.Step{step(message.SMS), step(message.Voice)}}
}

func (b *bench) wantKinds(ref verify.Ref, want ...string) {
	b.t.Helper()
	if got := b.kinds(ref); !slices.Equal(got, want) {
		b.t.Errorf("events %q, want %q", got, want)
	}
}

func resends(t *testing.T, b *bench) {
	o := order{resendable: true, spare: []delivery.Step{step(message.Voice)}}
	sent := b.send(o)
	first := b.one()
	b.record(first, accepted("r1"))
	b.receipt("r1", delivered)
	rec, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: sent.Ref, Channel: message.Voice, Sender: "OTHER", Dedupe: uuid.NewString()})
	if err != nil || rec.OTP != sent.OTP {
		t.Fatalf("AddDelivery = %+v, %v", rec, err)
	}
	second := b.one()
	if second.Seq != 2 || second.Channel != message.Voice || second.Sender != "OTHER" || second.Dedupe == first.Dedupe {
		t.Errorf("second delivery %+v", second.Delivery)
	}
	code, err := verify.OpenCode(b.keys.Open, acme, sent.ID, second.Sealed)
	if err != nil || code.Reveal() != rightCode {
		t.Errorf("second delivery's code differs (%v)", err)
	}
	if b.record(second, refused()) {
		t.Error("a failed resend started a step")
	}
	if _, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: sent.Ref, Channel: message.Viber, Dedupe: uuid.NewString()}); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("resend by a channel that is not there = %v, want ErrNotFound", err)
	}
	b.check(sent.Ref, rightCode)
	if _, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: sent.Ref, Channel: message.SMS, Dedupe: uuid.NewString()}); !errors.Is(err, verify.ErrEnded) {
		t.Errorf("resend of a verified OTP = %v, want ErrEnded", err)
	}
	if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
		t.Errorf("%d sealed codes are left", n)
	}
}

func sealedGone(t *testing.T, b *bench) {
	for _, c := range []struct {
		name string
		end  func(verify.Ref)
		want int
	}{
		{"still open", func(verify.Ref) {}, 1},
		{"verified", func(r verify.Ref) { b.check(r, rightCode) }, 0},
		{"blocked", func(r verify.Ref) { b.check(r, wrongCode); b.check(r, wrongCode); b.check(r, wrongCode) }, 0},
		{"late", func(r verify.Ref) { b.wall.Add(3 * time.Minute); b.check(r, rightCode) }, 0},
	} {
		sent := b.send(order{resendable: true})
		c.end(sent.Ref)
		if n := b.SealedCodes(t, acme, sent.ID); n != c.want {
			t.Errorf("%s: %d sealed codes, want %d", c.name, n, c.want)
		}
	}
	// Without a resend to come, dispatching the last step is enough.
	sent := b.send(order{to: "+447400123456"})
	for _, job := range b.claim("n1") {
		b.record(job, accepted("ref-"+job.OTPID))
	}
	if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
		t.Errorf("dispatched: %d sealed codes, want 0", n)
	}
}

func claims(t *testing.T, b *bench) {
	sent := b.send(order{})
	job := b.one()
	code, err := verify.OpenCode(b.keys.Open, acme, sent.ID, job.Sealed)
	if err != nil || code.Reveal() != rightCode {
		t.Errorf("the job's code differs (%v)", err)
	}
	if job.Recipient != sent.Recipient || job.OTPID != sent.ID || job.Account != acme || job.Seq != 1 ||
		job.Channel != message.SMS || job.Step.Sender != "VERIFY" || !job.Expires.Equal(sent.Expires) || job.State != delivery.Queued {
		t.Errorf("job %+v", job)
	}
	if again := b.claim("n2"); len(again) != 0 {
		t.Errorf("claimed again under a lease: %d", len(again))
	}
	b.wall.Add(time.Minute)
	again := b.claim("n2")
	if len(again) != 1 || again[0].Dedupe != job.Dedupe {
		t.Fatalf("after the lease: %+v, want the same delivery", again)
	}
	if err := b.Store.ReleaseDeliveries(t.Context(), "n2"); err != nil {
		t.Fatal(err)
	}
	if again = b.claim("n3"); len(again) != 1 {
		t.Fatalf("after the release: %d deliveries, want 1", len(again))
	}
	b.record(again[0], accepted("r1"))
	b.wall.Add(time.Minute)
	if left := b.claim("n1"); len(left) != 0 {
		t.Errorf("claimed a dispatched delivery")
	}
	ended := b.send(order{})
	b.check(ended.Ref, rightCode)
	over := b.send(order{life: time.Second})
	b.wall.Add(time.Second)
	for _, left := range b.claim("n1") {
		t.Errorf("claimed a delivery of %s (ended %s, over %s)", left.OTPID, ended.ID, over.ID)
	}
}

func parallelClaims(t *testing.T, b *bench) {
	const sends, nodes = 60, 6
	for range sends {
		b.send(order{})
	}
	var mu sync.Mutex // guards seen
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range nodes {
		wg.Go(func() {
			for {
				jobs, _, err := b.Store.ClaimDeliveries(context.WithoutCancel(t.Context()), uuid.NewString(), 7, time.Minute)
				if err != nil {
					t.Errorf("ClaimDeliveries: %v", err)
					return
				}
				if len(jobs) == 0 {
					return
				}
				mu.Lock()
				for _, j := range jobs {
					seen[j.Dedupe]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(seen) != sends {
		t.Errorf("claimed %d deliveries, want %d", len(seen), sends)
	}
	for dedupe, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", dedupe, n)
		}
	}
}

func submits(t *testing.T, b *bench) {
	sent := b.send(order{})
	job := b.one()
	retry := delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable}
	at := b.wall.Now().Add(2 * time.Second)
	if _, err := b.Store.RecordSubmits(t.Context(), []delivery.SubmitOutcome{{Key: job.Key, Carrier: "double", Result: retry, RetryAt: at}}); err != nil {
		t.Fatal(err)
	}
	b.wantKinds(sent.Ref)
	if jobs, next, err := b.Store.ClaimDeliveries(t.Context(), "n1", 10, time.Minute); err != nil || len(jobs) != 0 || !next.Equal(at) {
		t.Errorf("claim before the retry: %d, next %v, %v; want 0, %v", len(jobs), next, err, at)
	}
	b.wall.Add(2 * time.Second)
	job = b.one()
	if job.Tries != 1 || job.Carrier != "double" {
		t.Errorf("tries %d by %q, want 1 by double", job.Tries, job.Carrier)
	}
	b.record(job, accepted("r1"))
	b.wantKinds(sent.Ref, "SMS DISPATCHED")
	b.record(job, refused()) // an outcome that comes too late
	b.wantKinds(sent.Ref, "SMS DISPATCHED")
	if known, _ := b.receipt("nobody", delivered); known {
		t.Error("an unknown reference is known")
	}
	if known, _ := b.receipt("r1", delivered); !known {
		t.Error("the reference is unknown")
	}
	for _, again := range []delivery.ReceiptState{delivered, undeliverable} {
		if known, _ := b.receipt("r1", again); !known {
			t.Error("a repeated receipt's reference is unknown")
		}
	}
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS DELIVERED")

	at1 := b.send(order{})
	r := accepted("r2")
	r.Receipt = &delivery.Receipt{Carrier: "double", Ref: "r2", State: delivered}
	b.record(b.one(), r)
	b.wantKinds(at1.Ref, "SMS DISPATCHED", "SMS DELIVERED")

	silent := b.send(order{})
	r = accepted("r3")
	r.NoReceipt = true
	b.record(b.one(), r)
	b.wall.Add(time.Hour)
	b.endWaits()
	b.wantKinds(silent.Ref, "SMS DISPATCHED")
}

func fallsBack(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	if !b.record(b.one(), refused()) {
		t.Error("no step was started after a refusal")
	}
	voice := b.one()
	code, err := verify.OpenCode(b.keys.Open, acme, sent.ID, voice.Sealed)
	if voice.Channel != message.Voice || voice.Seq != 2 || err != nil || code.Reveal() != rightCode {
		t.Errorf("second delivery %+v (%v)", voice.Delivery, err)
	}
	b.record(voice, accepted("v1"))
	b.receipt("v1", delivered)
	b.wantKinds(sent.Ref, "SMS UNDELIVERABLE", "VOICE DISPATCHED", "VOICE DELIVERED")

	later := b.send(twoSteps())
	b.record(b.one(), accepted("s1"))
	if _, started := b.receipt("s1", undeliverable); !started {
		t.Error("no step was started after a failure receipt")
	}
	b.record(b.one(), refused())
	b.wantKinds(later.Ref, "SMS DISPATCHED", "SMS UNDELIVERABLE", "VOICE UNDELIVERABLE")
	if got := b.read(later.Ref).State; got != otp.Active {
		t.Errorf("an undeliverable OTP is %v, want ACTIVE", got)
	}
	if n := b.SealedCodes(t, acme, later.ID); n != 0 {
		t.Errorf("%d sealed codes are left", n)
	}
}

// resendBeside resends while a plan's step waits: the next step must find a
// place of its own.
func resendBeside(t *testing.T, b *bench) {
	o := twoSteps()
	o.resendable = true
	sent := b.send(o)
	b.record(b.one(), accepted("s1"))
	if _, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: sent.Ref, Channel: message.SMS, Dedupe: uuid.NewString()}); err != nil {
		t.Fatal(err)
	}
	b.record(b.one(), accepted("s2"))
	b.wall.Add(time.Minute)
	if n, started := b.endWaits(); n != 1 || !started {
		t.Fatalf("EndWaits = %d, %v; want 1, true", n, started)
	}
	if job := b.one(); job.Channel != message.Voice || job.Seq != 3 {
		t.Errorf("next step is delivery %d on %s, want 3 on VOICE", job.Seq, job.Channel)
	}
}

func waitsEnd(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	b.record(b.one(), accepted("s1"))
	b.wall.Add(time.Minute - time.Microsecond)
	if n, _ := b.endWaits(); n != 0 {
		t.Error("a wait ended early")
	}
	b.wall.Add(time.Microsecond)
	if n, started := b.endWaits(); n != 1 || !started {
		t.Errorf("EndWaits = %d, %v; want 1, true", n, started)
	}
	b.record(b.one(), accepted("v1"))
	b.wall.Add(time.Hour) // the last step waits until the OTP is over
	if n, started := b.endWaits(); n != 1 || started {
		t.Errorf("EndWaits = %d, %v; want 1, false", n, started)
	}
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "VOICE TIMED_OUT")

	short := twoSteps()
	short.life = time.Minute
	half := b.send(short)
	b.record(b.one(), accepted("s2"))
	b.wall.Add(30 * time.Second) // never more than half of the validity left
	if n, _ := b.endWaits(); n != 1 {
		t.Errorf("after half of the validity: %d waits ended, want 1", n)
	}
	b.wantKinds(half.Ref, "SMS DISPATCHED", "SMS TIMED_OUT")
}

func lateReceipt(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	b.record(b.one(), accepted("s1"))
	b.wall.Add(time.Minute)
	b.endWaits()
	b.record(b.one(), accepted("v1"))
	if known, started := b.receipt("s1", undeliverable); !known || started {
		t.Errorf("late receipt: known %v, started %v; want true, false", known, started)
	}
	b.receipt("s1", delivered) // at most one of the two
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "SMS UNDELIVERABLE")
}

func settled(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	b.record(b.one(), accepted("s1"))
	b.check(sent.Ref, rightCode)
	b.wall.Add(time.Hour)
	b.endWaits()
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "VERIFIED")
	b.receipt("s1", delivered)
	b.wantKinds(sent.Ref, "SMS DISPATCHED", "VERIFIED", "SMS DELIVERED")

	failed := b.send(twoSteps())
	b.record(b.one(), accepted("s2"))
	b.check(failed.Ref, rightCode)
	if _, started := b.receipt("s2", undeliverable); started {
		t.Error("a failure after the end started a step")
	}
	over := b.send(order{})
	b.record(b.one(), accepted("s3"))
	b.wall.Add(3 * time.Minute)
	if _, err := b.Store.ExpireOTPs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := b.endWaits(); n != 1 {
		t.Error("the end of time was not reported")
	}
	b.wantKinds(over.Ref, "SMS DISPATCHED", "EXPIRED", "SMS TIMED_OUT")
}

func extends(t *testing.T, b *bench) {
	o := twoSteps()
	o.steps[1].Life = 4 * time.Minute
	sent := b.send(o)
	b.record(b.one(), accepted("s1"))
	b.wall.Add(time.Minute)
	b.endWaits()
	b.record(b.one(), accepted("v1"))
	if got, want := b.read(sent.Ref).Expires, sent.Created.Add(5*time.Minute); !got.Equal(want) {
		t.Errorf("expires %v, want %v", got, want)
	}
	b.wall.Add(4*time.Minute - time.Microsecond)
	if c := b.check(sent.Ref, rightCode); c.Verdict != otp.Right {
		t.Errorf("check before the extended end: %v, want Right", c.Verdict)
	}
}

func eventTimes(t *testing.T, b *bench) {
	sent := b.send(twoSteps())
	b.record(b.one(), refused())
	b.record(b.one(), accepted("v1"))
	b.receipt("v1", delivered)
	b.check(sent.Ref, wrongCode)
	b.check(sent.Ref, rightCode)
	events, err := b.Store.Events(t.Context(), sent.Ref)
	if err != nil || len(events) != 5 {
		t.Fatalf("%d events, %v; want 5", len(events), err)
	}
	for i, e := range events {
		if e.Seq != i+1 || (i > 0 && e.At.Sub(events[i-1].At) < otp.EventStep) || !e.At.Equal(e.At.Truncate(otp.EventStep)) {
			t.Errorf("event %d has seq %d at %v", i, e.Seq, e.At)
		}
	}
}
