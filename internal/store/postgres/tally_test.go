package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// hold begins a transaction that locks what limits remember of a recipient.
// waited returns once somebody waits for it.
func hold(t *testing.T, url string, recipient [16]byte) (tx pgx.Tx, waited func()) {
	t.Helper()
	conn := raw(t, url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tag, err := tx.Exec(t.Context(), "SELECT FROM tallies WHERE recipient_key = $1 FOR UPDATE", recipient[:]); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("lock limits: %v, %v", tag, err)
	}
	watch := raw(t, url)
	return tx, func() {
		t.Helper()
		for count(t.Context(), t, watch, "SELECT count(*) FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid))", conn.PgConn().PID()) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// sentTo sends a limited code in two steps; its time to wait for a receipt of
// the first is over at once.
func sentTo(t *testing.T, s *postgres.Store, recipient [16]byte, rules guard.Rules) verify.NewOTP {
	t.Helper()
	n := newOTP(t, uuid.NewString(), time.Hour)
	n.RecipientKey, n.Resendable, n.Limited, n.Rules = recipient, true, true, rules
	n.Plan = delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS}, {Channel: message.Voice, Wait: time.Minute}}}
	if _, err := s.CreateOTP(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

// outcome is what a carrier said to the first step of a code.
func outcome(n verify.NewOTP, r delivery.Result) delivery.SubmitOutcome {
	return delivery.SubmitOutcome{Key: delivery.Key{Account: "acme", OTPID: n.ID, Seq: 1}, Carrier: "double", Result: r}
}

var refusal500 = delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: "double", Code: "500"}}

// An operator's clear and the sweep remove what limits remember at any moment.
func TestLimitsThatAreRemovedMeanwhileAreMadeAnew(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(10)
	idem := verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}
	for _, c := range []struct {
		name string
		call func(context.Context, *postgres.Store, verify.NewOTP) error
		want int // sends that are remembered then
	}{
		{"send", func(ctx context.Context, s *postgres.Store, n verify.NewOTP) error {
			n.ID, n.Dedupe, n.Idempotency = uuid.NewString(), uuid.NewString(), idem
			_, err := s.CreateOTP(ctx, n)
			return err
		}, 1},
		{"resend", func(ctx context.Context, s *postgres.Store, n verify.NewOTP) error {
			_, err := s.AddDelivery(ctx, verify.NewDelivery{Ref: n.Ref, Channel: message.SMS, Dedupe: uuid.NewString(), Rules: rules})
			return err
		}, 1},
		{"next step", func(ctx context.Context, s *postgres.Store, n verify.NewOTP) error {
			_, err := s.RecordSubmits(ctx, []delivery.SubmitOutcome{outcome(n, refusal500)})
			return err
		}, 1},
		{"check", func(ctx context.Context, s *postgres.Store, n verify.NewOTP) error {
			a := guess(n.ID, wrongCode)
			a.Rules, a.Idempotency = rules, idem
			_, err := s.CountAttempt(ctx, a)
			return err
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			s := made(t, url+patient)
			s.LimitSteps(rules)
			n := sentTo(t, s, [16]byte{1}, rules)
			tx, waited := hold(t, url, n.RecipientKey)
			ended := make(chan error, 1)
			go func() { ended <- c.call(context.WithoutCancel(t.Context()), s, n) }()
			waited()
			if _, err := tx.Exec(t.Context(), "DELETE FROM tallies"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("a %s whose limits were cleared meanwhile = %v, want success", c.name, err)
			}
			if got := count(t.Context(), t, raw(t, url), "SELECT cardinality(sends) FROM tallies"); got != c.want {
				t.Errorf("%d sends are remembered, want %d", got, c.want)
			}
		})
	}
}

// Groups of sends lock what limits remember in the order of the recipients. Next
// steps that are started together must do so too, or each may wait for the other.
func TestNextStepsLockLimitsInTheOrderOfSends(t *testing.T) {
	t.Parallel()
	rules := guard.Compat(10)
	for _, c := range []struct {
		name string
		work func(context.Context, *postgres.Store, []verify.NewOTP) error
	}{
		{"after refusals", func(ctx context.Context, s *postgres.Store, sent []verify.NewOTP) error {
			_, err := s.RecordSubmits(ctx, []delivery.SubmitOutcome{outcome(sent[0], refusal500), outcome(sent[1], refusal500)})
			return err
		}},
		{"after waits", func(ctx context.Context, s *postgres.Store, sent []verify.NewOTP) error {
			for _, n := range sent { // whose wait is over one after the other
				if _, err := s.RecordSubmits(ctx, []delivery.SubmitOutcome{outcome(n, delivery.Result{Class: delivery.Accepted})}); err != nil {
					return err
				}
			}
			_, _, err := s.EndWaits(ctx, 10)
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			s := made(t, url+patient)
			s.LimitSteps(rules)
			first, last := [16]byte{1}, [16]byte{2}
			sent := []verify.NewOTP{sentTo(t, s, last, rules), sentTo(t, s, first, rules)}
			tx, waited := hold(t, url, first)
			ended := make(chan error, 1)
			go func() { ended <- c.work(context.WithoutCancel(t.Context()), s, sent) }()
			waited()
			if _, err := tx.Exec(t.Context(), "SELECT FROM tallies WHERE recipient_key = $1 FOR UPDATE NOWAIT", last[:]); err != nil {
				t.Errorf("lock the limits of the last recipient: %v; what waits for the first one's has them", err)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if n := count(t.Context(), t, raw(t, url), "SELECT count(*) FROM deliveries WHERE seq = 2 AND state = 1"); n != 2 {
				t.Errorf("%d next steps are queued, want 2", n)
			}
		})
	}
}
