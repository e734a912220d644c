package smpp_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// single is a store of one delivery.
type single struct {
	mu   sync.Mutex // guards job
	job  delivery.Job
	over chan delivery.SubmitOutcome // of size 1: what ended it
}

func newSingle(m delivery.Message) *single {
	now := time.Now()
	return &single{over: make(chan delivery.SubmitOutcome, 1), job: delivery.Job{
		Delivery: delivery.Delivery{
			Key: delivery.Key{Account: m.Account, OTPID: m.OTPID, Seq: 1}, Dedupe: m.Dedupe, Next: -1,
			State: delivery.Queued, Channel: m.Step.Channel, Queued: now, Due: now,
		},
		Recipient: m.Recipient, Step: m.Step, Sealed: []byte("sealed"), Expires: m.Expires,
	}}
}

func (s *single) ClaimDeliveries(context.Context, string, int, time.Duration) ([]delivery.Job, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.Due.IsZero() || s.job.Due.After(time.Now()) {
		return nil, s.job.Due, nil
	}
	job := s.job
	s.job.Due = time.Time{}
	return []delivery.Job{job}, time.Time{}, nil
}

func (s *single) RecordSubmits(_ context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, out := range outcomes {
		s.job.Tries, s.job.Carrier, s.job.Due = s.job.Tries+1, out.Carrier, out.RetryAt
		if out.RetryAt.IsZero() {
			s.over <- out
		}
	}
	return false, nil
}

func (s *single) EndWaits(context.Context, int) (int, bool, error) { return 0, false, nil }

func (s *single) RecordReceipt(context.Context, delivery.Receipt) (known, started bool, err error) {
	return false, false, nil
}

func (s *single) MaySubmit(context.Context, delivery.Key) (bool, error) { return true, nil }

func (s *single) ReleaseDeliveries(context.Context, string) error { return nil }

// route is the route of every message.
type route []delivery.Carrier

func (r route) Route(message.Channel, phone.Recipient, string) []delivery.Carrier { return r }

// gateway is another carrier, which always answers the same.
type gateway struct {
	class delivery.Class
	mu    sync.Mutex // guards asked
	asked int
}

func (*gateway) Name() string                { return "gw" }
func (*gateway) Channels() []message.Channel { return []message.Channel{message.SMS} }
func (*gateway) Dedupes() bool               { return false }

func (g *gateway) Submit(context.Context, delivery.Message) delivery.Result {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	return delivery.Result{Class: g.class, Ref: "g1"}
}

// deliver has a dispatcher deliver one message, and returns what ended it.
func deliver(t *testing.T, m delivery.Message, carriers ...delivery.Carrier) delivery.SubmitOutcome {
	t.Helper()
	s := newSingle(m)
	d := delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: s, Router: route(carriers), Node: "n1", Log: discard(), Now: time.Now,
		Open:   func(string, string, []byte) (otp.Code, error) { return m.Code, nil },
		Jitter: func(limit time.Duration) time.Duration { return limit - 1 },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	select {
	case out := <-s.over:
		return out
	case <-time.After(10 * time.Minute):
		t.Fatal("the delivery did not end")
	}
	return delivery.SubmitOutcome{}
}

func TestAfterTheSecond0x45TheRouteGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.SubmitFailed))
		gw := &gateway{class: delivery.Accepted}
		out := deliver(t, text(t, "{code}"), r.Carrier, gw)
		if n := len(r.smsc.seen()); n != 2 || gw.asked != 1 || out.Carrier != "gw" || out.Result.Class != delivery.Accepted {
			t.Errorf("%d submits, the next carrier asked %d times, ended as %+v; want 2, 1 and Accepted by gw", n, gw.asked, out)
		}
	})
}

func TestA0x45IsRepeatedHoweverOftenAnotherCarrierWasTried(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.SubmitFailed))
		gw := &gateway{class: delivery.Retry}
		out := deliver(t, text(t, "{code}"), gw, r.Carrier)
		if n := len(r.smsc.seen()); n != 2 || gw.asked < 2 || out.Carrier != r.Name() {
			t.Errorf("%d submits after %d tries elsewhere, ended as %+v; want 2", n, gw.asked, out)
		}
	})
}
