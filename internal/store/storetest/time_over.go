package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// expire ends what is overdue.
func (b *bench) expire() {
	b.t.Helper()
	if _, err := b.Store.ExpireOTPs(b.t.Context()); err != nil {
		b.t.Fatalf("ExpireOTPs: %v", err)
	}
}

// uncertain is a result after which the same carrier is asked again.
func uncertain(ref string) delivery.Result {
	return delivery.Result{Class: delivery.Uncertain, Ref: ref}
}

// retried records a result after which the delivery is due again in a second.
func (b *bench) retried(job delivery.Job, r delivery.Result) {
	b.t.Helper()
	o := delivery.SubmitOutcome{Key: job.Key, Carrier: "double", Result: r, RetryAt: b.wall.Now().Add(time.Second)}
	if _, err := b.Store.RecordSubmits(b.t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		b.t.Fatalf("RecordSubmits: %v", err)
	}
}

// tellsOfTheEndOfTime leaves no OTP whose time is over without a final event,
// however its delivery stood then, and whoever notices first: a claim, the
// sweep or a check.
func tellsOfTheEndOfTime(t *testing.T, b *bench) {
	const life, lease = 30 * time.Second, time.Minute // a lease that ends after the OTP does
	sweep := func(verify.Ref) { b.expire() }
	check := func(r verify.Ref) { b.check(r, wrongCode) }
	claim := func(verify.Ref) {}
	retry := delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable}
	for _, c := range []struct {
		name   string
		before func(verify.Ref) // while the OTP is open
		after  func(verify.Ref) // when its time is over, before the claim
		want   []string
	}{
		{"never claimed, claim first", nil, claim, []string{"SMS UNDELIVERABLE", "EXPIRED"}},
		{"never claimed, sweep first", nil, sweep, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"never claimed, check first", nil, check, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"claimed by a node that ended", func(verify.Ref) { b.one() }, sweep, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"to be tried again", func(verify.Ref) { b.retried(b.one(), retry) }, sweep, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"perhaps taken, claim first", func(verify.Ref) { b.retried(b.one(), uncertain("r")) }, claim, []string{"SMS DISPATCHED", "SMS TIMED_OUT", "EXPIRED"}},
		{"perhaps taken, check first", func(verify.Ref) { b.retried(b.one(), uncertain("r")) }, check, []string{"EXPIRED", "SMS DISPATCHED", "SMS TIMED_OUT"}},
		{"verified before", func(r verify.Ref) { b.check(r, rightCode) }, sweep, []string{"VERIFIED"}},
	} {
		sent := b.send(order{life: life, steps: []delivery.Step{step(message.SMS), step(message.Voice)}})
		if c.before != nil {
			c.before(sent.Ref)
		}
		b.wall.Add(life)
		c.after(sent.Ref)
		b.wall.Add(lease)
		for _, job := range b.claim("n2") {
			t.Errorf("%s: %s is handed over after its end", c.name, job.Channel)
		}
		b.endWaits()
		b.expire()
		if diff := cmp.Diff(c.want, b.kinds(sent.Ref)); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", c.name, diff)
		}
		if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
			t.Errorf("%s: %d sealed codes are left", c.name, n)
		}
		if jobs, next, err := b.Store.ClaimDeliveries(t.Context(), "n2", 10, lease); len(jobs) != 0 || !next.IsZero() || err != nil {
			t.Errorf("%s: afterwards %d deliveries are due, the next at %v, %v; want none", c.name, len(jobs), next, err)
		}
	}
}

// tellsOfLateAnswers records what a carrier answers after the OTP's time.
func tellsOfLateAnswers(t *testing.T, b *bench) {
	const life = 30 * time.Second
	for _, c := range []struct {
		name   string
		answer func(delivery.Job)
		settle bool
		want   []string
	}{
		{"taken", func(j delivery.Job) { b.record(j, accepted("r-"+j.OTPID)) }, false, []string{"EXPIRED", "SMS DISPATCHED", "SMS TIMED_OUT"}},
		{"refused", func(j delivery.Job) { b.record(j, refused()) }, false, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"to be tried again", func(j delivery.Job) {
			b.retried(j, delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable})
		}, false, []string{"EXPIRED", "SMS UNDELIVERABLE"}},
		{"not known", func(j delivery.Job) { b.retried(j, uncertain("u-"+j.OTPID)) }, false, []string{"EXPIRED", "SMS DISPATCHED", "SMS TIMED_OUT"}},
		{"taken, after a right code", func(j delivery.Job) { b.record(j, accepted("v-"+j.OTPID)) }, true, []string{"VERIFIED", "SMS DISPATCHED"}},
	} {
		sent := b.send(order{life: life, steps: []delivery.Step{step(message.SMS), step(message.Voice)}})
		job := b.one()
		if c.settle {
			b.check(sent.Ref, rightCode)
		}
		b.wall.Add(life)
		b.expire()
		c.answer(job)
		b.endWaits()
		b.wall.Add(time.Minute)
		for _, late := range b.claim("n1") {
			t.Errorf("%s: %s is handed over after its end", c.name, late.Channel)
		}
		b.endWaits()
		if diff := cmp.Diff(c.want, b.kinds(sent.Ref)); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", c.name, diff)
		}
	}
}
