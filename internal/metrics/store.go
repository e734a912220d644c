package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// store counts what passes to a verify.Store.
type store struct {
	verify.Store

	m   *Metrics
	now func() time.Time
}

// Store returns s with its sends, resends and checks counted. now measures how
// long they take.
func (m *Metrics) Store(s verify.Store, now func() time.Time) verify.Store { return store{s, m, now} }

// CreateOTP counts a send.
func (s store) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	start := s.now()
	rec, err := s.Store.CreateOTP(ctx, n)
	s.m.sendSeconds.Observe(s.now().Sub(start).Seconds())
	s.m.sends.WithLabelValues(n.Origin, string(n.Plan.Steps[0].Channel), result(ctx, err)).Inc()
	return rec, err //nolint:wrapcheck // passed through
}

// AddDelivery counts a resend.
func (s store) AddDelivery(ctx context.Context, n verify.NewDelivery) (verify.Record, error) {
	rec, err := s.Store.AddDelivery(ctx, n)
	s.m.resends.WithLabelValues(n.Origin, result(ctx, err)).Inc()
	return rec, err //nolint:wrapcheck // passed through
}

// CountAttempt counts a check.
func (s store) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	start := s.now()
	checked, err := s.Store.CountAttempt(ctx, a)
	s.m.checkSeconds.Observe(s.now().Sub(start).Seconds())
	outcome := result(ctx, err)
	if err == nil {
		outcome = verdict(checked.Verdict)
	}
	s.m.checks.WithLabelValues(a.Origin, outcome).Inc()
	return checked, err //nolint:wrapcheck // passed through
}

// Refused counts a send or check that was refused when it arrived.
func (m *Metrics) Refused(w admission.Work) { m.refused.WithLabelValues(w.String()).Inc() }

// result names what a call under ctx came to. A repeated idempotent call counts
// again.
func result(ctx context.Context, err error) string {
	if err == nil {
		return "accepted"
	}
	if left(ctx, err) {
		return "abandoned"
	}
	if _, ok := errors.AsType[*verify.LimitError](err); ok {
		return "throttled"
	}
	for _, c := range []struct {
		err  error
		name string
	}{
		{verify.ErrNotFound, "not_found"},
		{verify.ErrEnded, "ended"},
		{verify.ErrIDTaken, "id_taken"},
		{verify.ErrIdempotencyMismatch, "idempotency_mismatch"},
		{verify.ErrIdempotencyRunning, "idempotency_running"},
		{verify.ErrOverloaded, "overloaded"},
		{verify.ErrUnavailable, "unavailable"},
		{verify.ErrOutcomeUnknown, "outcome_unknown"},
	} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return "error"
}

// left reports whether the call failed only because its caller went away before
// anything was done, which is no fault of the database. A caller whose time was
// up is not one of them: the database was too slow.
func left(ctx context.Context, err error) bool {
	return errors.Is(context.Cause(ctx), context.Canceled) && errors.Is(err, context.Canceled) && !errors.Is(err, verify.ErrOutcomeUnknown)
}

func verdict(v otp.Verdict) string {
	switch v {
	case otp.Right:
		return "verified"
	case otp.Wrong:
		return "wrong_code"
	case otp.Spent:
		return "too_many_attempts"
	case otp.Late:
		return "expired"
	case otp.Closed:
		return "closed"
	}
	return "error"
}

// deliveryStore counts receipts that come in with a submit's answer: nobody
// else hears of them.
type deliveryStore struct {
	delivery.Store

	m *Metrics
}

// DeliveryStore returns s with the receipts counted that its submits bring.
func (m *Metrics) DeliveryStore(s delivery.Store) delivery.Store { return deliveryStore{s, m} }

// RecordSubmits counts receipts.
func (s deliveryStore) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	started, err := s.Store.RecordSubmits(ctx, outcomes)
	if err != nil {
		return started, err //nolint:wrapcheck // passed through
	}
	for _, o := range outcomes {
		if r := o.Result.Receipt; r != nil {
			s.m.Deliveries().Received(o.Carrier, r.State, true)
		}
	}
	return started, nil
}
