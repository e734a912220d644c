package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// checkBy is a check under limits.
func (b *bench) checkBy(ref verify.Ref, code string, rules guard.Rules) (verify.Checked, error) {
	a := b.attempt(ref, code)
	a.Rules = rules
	return b.Store.CountAttempt(context.WithoutCancel(b.t.Context()), a)
}

// wantWrong compares so many wrong codes.
func (b *bench) wantWrong(ref verify.Ref, n int, rules guard.Rules) {
	b.t.Helper()
	for i := range n {
		if c, err := b.checkBy(ref, wrongCode, rules); err != nil || c.Verdict != otp.Wrong {
			b.t.Fatalf("wrong code %d of %d = %v, %v; want Wrong", i+1, n, c.Verdict, err)
		}
	}
}

func (b *bench) wantLimit(what string, err error, limit string) {
	b.t.Helper()
	if refused, ok := errors.AsType[*verify.LimitError](err); !ok || refused.Limit != limit {
		b.t.Errorf("%s = %v, want a refusal by %s", what, err, limit)
	}
}

// limitsParallelSends sends more than one commit may carry of a recipient.
func limitsParallelSends(t *testing.T, b *bench) {
	const most, tries = 5, 60
	rules := guard.Rules{Sends: []guard.Window{{Max: most, Per: 10 * time.Minute}}}
	ended := make(chan error, tries)
	for range tries {
		n := b.newOTP(order{limited: true, rules: rules})
		go func() {
			_, err := b.Store.CreateOTP(context.WithoutCancel(t.Context()), n)
			ended <- err
		}()
	}
	sent := 0
	for range tries {
		if err := <-ended; err == nil {
			sent++
		} else {
			b.wantLimit("a parallel send", err, "sends")
		}
	}
	if sent != most {
		t.Errorf("%d of %d parallel sends went through, want %d", sent, tries, most)
	}
}

func successForgets(t *testing.T, b *bench) {
	rules := guard.Compat(0)
	send := func() verify.Ref { return b.send(order{limited: true, rules: rules, attempts: 20}).Ref }
	first, second := send(), send()
	b.wantWrong(first, 9, rules)
	if c, err := b.checkBy(first, rightCode, rules); err != nil || c.Verdict != otp.Right {
		t.Fatalf("a right code after 9 wrong ones = %v, %v; want Right", c.Verdict, err)
	}
	b.wantWrong(second, 10, rules)
	_, err := b.checkBy(second, rightCode, rules)
	b.wantLimit("a check after 10 wrong codes since the success", err, "failures")
}

func unlimitedCounts(t *testing.T, b *bench) {
	rules := guard.Compat(0)
	limited := b.send(order{limited: true, rules: rules, attempts: 20}).Ref
	free, freed := b.send(order{attempts: 20}).Ref, b.send(order{}).Ref
	b.wantWrong(free, 11, rules)
	b.wantWrong(limited, 10, rules)
	for _, ref := range []verify.Ref{free, freed} {
		if c, err := b.checkBy(ref, rightCode, rules); err != nil || c.Verdict != otp.Right {
			t.Errorf("a right code of an OTP without limits = %v, %v; want Right", c.Verdict, err)
		}
	}
	_, err := b.checkBy(limited, rightCode, rules)
	b.wantLimit("a check after that of an OTP without limits", err, "failures")
}

func limitsResends(t *testing.T, b *bench) {
	resend := func(ref verify.Ref, rules guard.Rules) error {
		_, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: ref, Channel: message.SMS, Dedupe: uuid.NewString(), Rules: rules})
		return err
	}
	perOTP := guard.Rules{SendsPerOTP: 3, StopRetryAfter: time.Hour}
	sent := b.send(order{to: "+447400123456", limited: true, resendable: true, rules: perOTP}).Ref
	for i := range 2 {
		if err := resend(sent, perOTP); err != nil {
			t.Fatalf("resend %d: %v", i+1, err)
		}
	}
	b.wantLimit("the third resend", resend(sent, perOTP), "sends_per_otp")

	window := guard.Rules{Sends: []guard.Window{{Max: 3, Per: 10 * time.Minute}}}
	o := order{limited: true, resendable: true, rules: window}
	sent = b.send(o).Ref
	for i := range 2 {
		if err := resend(sent, window); err != nil {
			t.Fatalf("resend %d in the window: %v", i+1, err)
		}
	}
	b.wantLimit("a resend that the window has no room for", resend(sent, window), "sends")
	_, err := b.Store.CreateOTP(t.Context(), b.newOTP(o))
	b.wantLimit("a send that resends left no room for", err, "sends")
	if free := b.send(order{resendable: true}).Ref; resend(free, window) != nil {
		t.Error("a resend of an OTP without limits was refused")
	}
}

// limitsCalls sends by voice at first, again and as a fallback (L-04).
func limitsCalls(t *testing.T, b *bench) {
	rules := guard.Rules{Sends: []guard.Window{{Max: 20, Per: time.Hour}}, Calls: []guard.Window{{Max: 3, Per: time.Hour}}}
	b.Store.LimitSteps(rules)
	sms, call := step(message.SMS), step(message.Voice)
	idle := order{limited: true, resendable: true, rules: rules, steps: []delivery.Step{sms}, spare: []delivery.Step{call}}
	resend := func(ref verify.Ref, c message.Channel) error {
		_, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: ref, Channel: c, Dedupe: uuid.NewString(), Rules: rules})
		return err
	}
	b.send(order{limited: true, rules: rules, steps: []delivery.Step{call}})
	sent := b.send(idle).Ref
	for i := range 2 {
		if err := resend(sent, message.Voice); err != nil {
			t.Fatalf("resend %d by voice: %v", i+1, err)
		}
	}
	b.wantLimit("a resend by voice after three calls", resend(sent, message.Voice), "calls")
	if err := resend(sent, message.SMS); err != nil {
		t.Errorf("a resend by SMS after three calls = %v", err)
	}
	_, err := b.Store.CreateOTP(t.Context(), b.newOTP(order{limited: true, rules: rules, steps: []delivery.Step{call, sms}}))
	b.wantLimit("a call after three", err, "calls")
	b.wall.Add(time.Hour)
	b.send(order{limited: true, rules: rules, steps: []delivery.Step{call}})
}

// limitsCallSteps falls back to voice where the calls are used up.
func limitsCallSteps(t *testing.T, b *bench) {
	rules := guard.Rules{Sends: []guard.Window{{Max: 20, Per: time.Hour}}, Calls: []guard.Window{{Max: 1, Per: time.Hour}}}
	b.Store.LimitSteps(rules)
	plan := order{limited: true, rules: rules, steps: []delivery.Step{step(message.SMS), step(message.Voice)}}
	b.send(plan)
	if !b.record(b.one(), refused()) {
		t.Fatal("the first fallback by voice was not queued")
	}
	b.one()
	sent := b.send(plan)
	if b.record(b.one(), refused()) {
		t.Error("a fallback by voice over the limit was queued")
	}
	want := []string{"SMS UNDELIVERABLE", "VOICE UNDELIVERABLE"}
	if got := b.kinds(sent.Ref); !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func releasesOwn(t *testing.T, b *bench) {
	b.send(order{})
	b.one()
	for _, r := range []struct {
		node string
		want int
	}{{"n2", 0}, {"n1", 1}} {
		if err := b.Store.ReleaseDeliveries(t.Context(), r.node); err != nil {
			t.Fatal(err)
		}
		if got := b.claim("n3"); len(got) != r.want {
			t.Errorf("after the release of %s: claimed %d deliveries, want %d", r.node, len(got), r.want)
		}
	}
}
