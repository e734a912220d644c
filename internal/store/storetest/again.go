package storetest

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// callPause is how long a busy line is left alone.
const callPause = 20 * time.Second

func rings(ref string) delivery.Result {
	return delivery.Result{Class: delivery.Accepted, Ref: ref, MayBeBusy: true}
}

// busy records a receipt of a busy line.
func (b *bench) busy(ref string) (known, started bool) {
	b.t.Helper()
	known, started, err := b.Store.RecordReceipt(b.t.Context(), delivery.Receipt{
		Carrier: "double", Ref: ref, State: undeliverable, Failure: delivery.LineBusy, Busy: true,
	})
	if err != nil {
		b.t.Fatalf("RecordReceipt: %v", err)
	}
	return known, started
}

func calls() order {
	return order{steps: []delivery.Step{step(message.Voice)}}
}

// callsAgain calls a busy line and then one that is busy again, each time from
// another node, as the first may be gone.
func callsAgain(t *testing.T, b *bench) {
	sent := b.send(order{steps: []delivery.Step{step(message.Voice), step(message.SMS)}, limited: true})
	first := b.one()
	b.record(first, rings("c1"))
	end := b.wall.Now().Add(time.Minute)
	b.wall.Add(5 * time.Second)
	if known, started := b.busy("c1"); !known || started {
		t.Errorf("a busy line: known %v, started %v; want true, false", known, started)
	}
	at := b.wall.Now().Add(callPause)
	if jobs, next, err := b.Store.ClaimDeliveries(t.Context(), "n2", 10, time.Minute); err != nil || len(jobs) != 0 || !next.Equal(at) {
		t.Errorf("claim before 20 s are over: %d, next %v, %v; want 0, %v", len(jobs), next, err, at)
	}
	if known, started := b.busy("c1"); !known || started { // the same receipt
		t.Errorf("the receipt again: known %v, started %v; want true, false", known, started)
	}
	b.wall.Add(callPause)
	jobs := b.claim("n2")
	if len(jobs) != 1 {
		t.Fatalf("after 20 s: %d deliveries, want 1", len(jobs))
	}
	second := jobs[0]
	code, err := verify.OpenCode(b.keys.Open, acme, sent.ID, second.Sealed)
	if err != nil || code.Reveal() != rightCode {
		t.Errorf("the second call's code differs (%v)", err)
	}
	if second.Key != first.Key || second.Dedupe != first.Dedupe || second.Carrier != "double" || second.Tries != 1 || !second.AgainUntil.Equal(end) {
		t.Errorf("second call %+v; want the same delivery, until %v", second.Delivery, end)
	}
	b.record(second, rings("c2"))
	if known, started := b.receipt("c1", undeliverable); known || started {
		t.Errorf("a late receipt of the first call: known %v, started %v; want false, false", known, started)
	}
	b.wantKinds(sent.Ref, "VOICE DISPATCHED")
	if known, started := b.busy("c2"); !known || !started {
		t.Errorf("busy again: known %v, started %v; want true, true", known, started)
	}
	b.wantKinds(sent.Ref, "VOICE DISPATCHED", "VOICE UNDELIVERABLE")
	if job := b.one(); job.Channel != message.SMS || job.Seq != 2 {
		t.Errorf("next step is delivery %d on %s, want 2 on SMS", job.Seq, job.Channel)
	}
}

func callsAgainAnswered(t *testing.T, b *bench) {
	sent := b.send(calls())
	b.record(b.one(), rings("c1"))
	b.busy("c1")
	b.wall.Add(callPause)
	b.record(b.one(), rings("c2"))
	if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
		t.Errorf("%d sealed codes are left after the second call, want 0", n)
	}
	b.receipt("c2", delivered)
	b.wantKinds(sent.Ref, "VOICE DISPATCHED", "VOICE DELIVERED")

	once := b.send(calls())
	b.record(b.one(), rings("c3"))
	if n := b.SealedCodes(t, acme, once.ID); n != 1 {
		t.Errorf("%d sealed codes while the line may be busy, want 1", n)
	}
	b.receipt("c3", delivered)
	if n := b.SealedCodes(t, acme, once.ID); n != 0 {
		t.Errorf("%d sealed codes are left after the call, want 0", n)
	}

	// A carrier that did not say that lines may be busy is not asked again.
	kept := b.send(calls())
	b.record(b.one(), accepted("c4"))
	b.busy("c4")
	b.wantKinds(kept.Ref, "VOICE DISPATCHED", "VOICE UNDELIVERABLE")
}

// callsAgainEnds ends a delivery that waits for its second call.
func callsAgainEnds(t *testing.T, b *bench) {
	waiting := func(o order, ref string) verify.Record {
		t.Helper()
		sent := b.send(o)
		b.record(b.one(), rings(ref))
		b.busy(ref)
		return sent
	}
	for _, c := range []struct {
		name string
		end  func(verify.Record)
		want []string
	}{
		{"verified", func(r verify.Record) { b.check(r.Ref, rightCode) }, []string{"VOICE DISPATCHED", "VERIFIED"}},
		{"blocked", func(r verify.Record) {
			for range 3 {
				b.check(r.Ref, wrongCode)
			}
		}, []string{"VOICE DISPATCHED", "WRONG_CODE", "WRONG_CODE", "TOO_MANY_ATTEMPTS"}},
		{"expired by the sweep", func(verify.Record) {
			b.wall.Add(3 * time.Minute)
			if jobs := b.claim("n1"); len(jobs) != 0 {
				t.Errorf("claimed %d deliveries of an OTP that is over", len(jobs))
			}
			if _, err := b.Store.ExpireOTPs(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, []string{"VOICE DISPATCHED", "EXPIRED", "VOICE TIMED_OUT"}},
		{"expired by a check", func(r verify.Record) {
			b.wall.Add(3 * time.Minute)
			b.check(r.Ref, rightCode)
		}, []string{"VOICE DISPATCHED", "EXPIRED", "VOICE TIMED_OUT"}},
	} {
		sent := waiting(calls(), "ref of "+c.name)
		c.end(sent)
		b.wall.Add(callPause)
		if jobs := b.claim("n1"); len(jobs) != 0 {
			t.Errorf("%s: claimed %d deliveries, want 0", c.name, len(jobs))
		}
		b.endWaits()
		b.wantKinds(sent.Ref, c.want...)
		if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
			t.Errorf("%s: %d sealed codes are left", c.name, n)
		}
	}

	gone := waiting(calls(), "deleted")
	if _, err := b.Store.DeleteOTP(t.Context(), gone.Ref, verify.Idempotency{}); err != nil {
		t.Fatal(err)
	}
	b.wall.Add(callPause)
	if jobs := b.claim("n1"); len(jobs) != 0 {
		t.Errorf("claimed %d deliveries of a deleted OTP", len(jobs))
	}

	// The step's time goes on while the second call is under way.
	slow := b.send(order{steps: []delivery.Step{step(message.Voice), step(message.SMS)}})
	b.record(b.one(), rings("slow"))
	b.wall.Add(5 * time.Second)
	b.busy("slow")
	b.wall.Add(callPause)
	b.record(b.one(), rings("slow 2"))
	b.wall.Add(35*time.Second - time.Microsecond)
	if n, _ := b.endWaits(); n != 0 {
		t.Error("a wait ended early")
	}
	b.wall.Add(time.Microsecond)
	if n, started := b.endWaits(); n != 1 || !started {
		t.Errorf("EndWaits = %d, %v; want 1, true", n, started)
	}
	b.wantKinds(slow.Ref, "VOICE DISPATCHED", "VOICE TIMED_OUT")
	if got := b.read(slow.Ref).State; got != otp.Active {
		t.Errorf("the OTP is %v, want ACTIVE", got)
	}
}
