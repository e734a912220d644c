package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func quarantines(t *testing.T, b *bench) {
	since := func() time.Time {
		t.Helper()
		at, err := b.Store.Quarantined(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	begin := func() {
		t.Helper()
		if err := b.Store.BeginQuarantine(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	end := func(want int) {
		t.Helper()
		if n, err := b.Store.EndQuarantine(t.Context()); n != want || err != nil {
			t.Errorf("EndQuarantine = %d, %v; want %d open OTPs", n, err, want)
		}
	}
	if at := since(); !at.IsZero() {
		t.Errorf("a new database is quarantined since %v", at)
	}
	open, done := b.send(order{}), b.send(order{})
	b.check(done.Ref, rightCode)
	sent := b.send(order{steps: []delivery.Step{step(message.SMS), step(message.Voice)}})
	for _, job := range b.claim("n1") {
		if job.OTPID == sent.ID {
			b.record(job, accepted("r"))
		} else if err := b.Store.ReleaseDeliveries(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
	}
	end(0) // of none
	if got := b.read(open.Ref); got.State != otp.Active {
		t.Errorf("the end of no quarantine made the OTP %v", got.State)
	}
	begin()
	first := since()
	if !first.Equal(b.wall.Now()) {
		t.Errorf("quarantined since %v; want %v", first, b.wall.Now())
	}
	b.wall.Add(time.Second)
	begin()
	if again := since(); !again.Equal(first) {
		t.Errorf("begun again, it is quarantined since %v; want %v as before", again, first)
	}
	end(2)
	if at := since(); !at.IsZero() {
		t.Errorf("released, it is quarantined since %v", at)
	}
	if got := b.read(open.Ref); got.State != otp.Expired {
		t.Errorf("the open OTP is %v; want it expired", got.State)
	}
	if got := b.read(done.Ref); got.State != otp.Verified {
		t.Errorf("the verified OTP is %v", got.State)
	}
	if n, err := b.Store.ExpireOTPs(t.Context()); n != 2 || err != nil {
		t.Errorf("ExpireOTPs = %d, %v; want the two that were open", n, err)
	}
	if jobs := b.claim("n2"); len(jobs) != 0 {
		t.Errorf("after the release %d deliveries are handed over", len(jobs))
	}
	b.endWaits()
	if diff := cmp.Diff([]string{"EXPIRED"}, b.kinds(open.Ref)); diff != "" {
		t.Errorf("of what the copy's original may have sent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"SMS DISPATCHED", "EXPIRED", "SMS TIMED_OUT"}, b.kinds(sent.Ref)); diff != "" {
		t.Errorf("of what waited for its receipt (-want +got):\n%s", diff)
	}
	if got := b.check(open.Ref, rightCode); got.Verdict == otp.Right {
		t.Error("a code of before the release was accepted")
	}
	end(0)
}
