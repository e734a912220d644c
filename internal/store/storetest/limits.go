package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

func limitsSends(t *testing.T, b *bench) {
	rules := guard.Compat(10)
	limited := func(to string) order { return order{limited: true, rules: rules, to: to} }
	for range 10 {
		rec := b.send(limited("+4915112345678"))
		if _, err := b.Store.DeleteOTP(t.Context(), rec.Ref, verify.Idempotency{}); err != nil {
			t.Fatal(err)
		}
		b.wall.Add(time.Second)
	}
	n := b.newOTP(limited("+4915112345678"))
	_, err := b.Store.CreateOTP(t.Context(), n)
	refused, ok := errors.AsType[*verify.LimitError](err)
	if want := time.Hour - 10*time.Second; !ok || refused.RetryAfter != want {
		t.Fatalf("the 11th send = %v (%+v), want a refusal for %v", err, refused, want)
	}
	if _, err := b.Store.OTP(t.Context(), n.Ref); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("the refused send left an OTP: %v", err)
	}
	b.send(limited("+4915112345679"))                                                // another recipient
	b.send(order{to: "+4915112345678"})                                              // an OTP that limits do not apply to
	b.send(order{account: other, limited: true, rules: rules, to: "+4915112345678"}) // another account
	b.wall.Add(refused.RetryAfter)
	b.send(limited("+4915112345678")) // the first left the window
}

func limitsFailures(t *testing.T, b *bench) {
	rules := guard.Compat(0)
	send := func() verify.Ref { return b.send(order{limited: true, rules: rules}).Ref }
	check := func(ref verify.Ref, code string) (verify.Checked, error) { return b.checkBy(ref, code, rules) }
	wrong := 0
	for wrong < 10 {
		ref := send()
		for i := 0; i < 3 && wrong < 10; i++ {
			if _, err := check(ref, wrongCode); err != nil {
				t.Fatalf("wrong code %d: %v", wrong, err)
			}
			wrong++
		}
		if wrong < 10 {
			if _, err := b.Store.DeleteOTP(t.Context(), ref, verify.Idempotency{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fresh := send()
	_, err := check(fresh, rightCode)
	refused, ok := errors.AsType[*verify.LimitError](err)
	if !ok || refused.RetryAfter != time.Hour {
		t.Fatalf("a check after 10 wrong codes in an hour = %v, want a refusal for an hour", err)
	}
	if rec := b.read(fresh); rec.Attempts != 0 {
		t.Errorf("the refused check counted %d attempts", rec.Attempts)
	}
	b.wall.Add(3 * time.Minute)
	if c, err := check(fresh, rightCode); err != nil || c.Verdict != otp.Late {
		t.Errorf("a check that compares nothing = %v, %v; want Late", c.Verdict, err)
	}
	to, _ := phone.ParseRecipient("+4915112345678")
	key := verify.RecipientKey(b.keys, acme, to)
	if cleared, err := b.Store.ClearLimits(t.Context(), acme, key); err != nil || !cleared {
		t.Errorf("ClearLimits = %v, %v; want true", cleared, err)
	}
	fresh = send()
	if _, err := check(fresh, wrongCode); err != nil {
		t.Errorf("a check after the clear: %v", err)
	}
	if c, err := check(fresh, rightCode); err != nil || c.Verdict != otp.Right {
		t.Errorf("a right code: %v, %v", c.Verdict, err)
	}
	if cleared, err := b.Store.ClearLimits(t.Context(), other, key); err != nil || cleared {
		t.Errorf("ClearLimits of another account = %v, %v; want false", cleared, err)
	}
}

func clearsNothing(t *testing.T, b *bench) {
	rules := guard.Compat(0)
	to, _ := phone.ParseRecipient("+4915112345678")
	forget := func() (bool, error) {
		return b.Store.ClearLimits(t.Context(), acme, verify.RecipientKey(b.keys, acme, to))
	}
	ref := b.send(order{limited: true, rules: rules}).Ref
	b.wantWrong(ref, 1, rules)
	if c, err := b.checkBy(ref, rightCode, rules); err != nil || c.Verdict != otp.Right {
		t.Fatalf("a right code = %v, %v; want Right", c.Verdict, err)
	}
	if cleared, err := forget(); err != nil || cleared {
		t.Errorf("ClearLimits after a right code forgot the wrong one = %v, %v; want false", cleared, err)
	}
	b.wantWrong(b.send(order{limited: true, rules: rules}).Ref, 1, rules)
	for _, want := range []bool{true, false} {
		if cleared, err := forget(); err != nil || cleared != want {
			t.Errorf("ClearLimits = %v, %v; want %v", cleared, err, want)
		}
	}
}

func limitsSteps(t *testing.T, b *bench) {
	rules := guard.Rules{Sends: []guard.Window{{Max: 1, Per: 10 * time.Minute}}}
	b.Store.LimitSteps(rules)
	sent := b.send(order{limited: true, rules: rules, steps: []delivery.Step{step(message.SMS), step(message.Voice)}})
	if b.record(b.one(), refused()) {
		t.Error("a step over the limit was queued")
	}
	want := []string{"SMS UNDELIVERABLE", "VOICE UNDELIVERABLE"}
	if got := b.kinds(sent.Ref); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("events %v, want %v", got, want)
	}
	events, err := b.Store.Events(t.Context(), sent.Ref)
	if err != nil || events[1].Failure == nil || *events[1].Failure != delivery.CapReached {
		t.Errorf("failure %v, %v; want %v", events[1].Failure, err, delivery.CapReached)
	}
	if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
		t.Errorf("%d sealed codes are left", n)
	}
}
