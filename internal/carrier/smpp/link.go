package smpp

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// The pauses between binds, with full jitter.
const (
	backoffBase  = time.Second
	backoffCap   = time.Minute
	backoffLeast = 100 * time.Millisecond
	configPause  = 30 * time.Second // at least, and up to as much again, if the operator must act
	steady       = 10 * time.Second // a bind that lasted so long starts the doubling anew
)

// link keeps one connection bound.
type link struct {
	carrier  *Carrier
	bind     int
	kind     pdu.ID
	submits  bool // false for a receiver
	throttle *throttle
	load     atomic.Int64 // messages that wait for it or its answers

	// carrier.mu guards what follows.
	session   *session // nil while not bound
	last      error    // why it is not, or was not last
	downSince time.Time
	hopeless  bool // the operator must act, or the carrier is ending: nobody need wait for it
}

// run binds and keeps bound until ctx ends, and then drains. Receipts are
// recorded under apart.
func (l *link) run(ctx, apart context.Context) {
	defer l.hope(true)
	log := l.carrier.logger().With(slog.Int("bind", l.bind), slog.String("kind", l.kind.String()))
	for attempt := 0; ; attempt++ {
		s, err := l.connect(ctx, apart)
		if err == nil {
			log.InfoContext(ctx, "bound")
			bound := l.carrier.deps.Now()
			err = l.serve(ctx, apart, s)
			if l.carrier.deps.Now().Sub(bound) >= steady {
				attempt = 0
			}
		}
		if ctx.Err() != nil {
			return
		}
		wait := l.pause(attempt, err)
		log.WarnContext(ctx, "not bound", slog.Any("err", err), slog.String("again_in", wait.String()))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// pause returns how long to wait after the attempt, counted from 0, and says
// whether waiting for it is hopeless.
func (l *link) pause(attempt int, err error) time.Duration {
	jitter := l.carrier.deps.Jitter
	var refused *StatusError
	if errors.As(err, &refused) && l.carrier.cfg.classOf(refused.Status) == delivery.Config {
		l.hope(true)
		return configPause + jitter(configPause)
	}
	l.hope(false)
	return max(jitter(min(backoffBase<<min(attempt, 10), backoffCap)), backoffLeast)
}

func (l *link) hope(lost bool) {
	l.carrier.mu.Lock()
	defer l.carrier.mu.Unlock()
	l.hopeless = lost
	l.carrier.wake()
}

// connect opens a connection and binds it.
func (l *link) connect(ctx, apart context.Context) (*session, error) {
	c := l.carrier
	conn, err := c.dialer.open(ctx)
	if err != nil {
		l.down(err)
		return nil, err
	}
	s := newSession(conn, c.cfg.Window, c.deps.Now, c.logger())
	s.take, s.notice = c.take, c.notice
	s.start(apart)
	if err := s.bind(ctx, l.kind, &c.cfg); err != nil {
		s.end(err)
		s.running.Wait()
		l.down(err)
		return nil, err
	}
	return s, nil
}

// serve lets the session be used until it is over or ctx ends, and returns why.
func (l *link) serve(ctx, apart context.Context, s *session) error {
	l.up(s)
	alive, cancel := context.WithCancel(apart)
	defer cancel()
	s.running.Go(func() { s.keep(alive) })
	select {
	case <-s.done:
		l.down(s.cause)
	case <-ctx.Done():
		l.down(nil)
		s.drain(apart)
	}
	cancel()
	s.running.Wait()
	return s.cause
}

func (l *link) up(s *session) {
	c := l.carrier
	c.mu.Lock()
	l.session, l.last, l.hopeless = s, nil, false
	state := l.state()
	c.wake()
	c.mu.Unlock()
	c.deps.Observer.Changed(c.cfg.Name, state)
}

// down records that the link is not bound, and why; nil if that is our own wish.
func (l *link) down(err error) {
	c := l.carrier
	c.mu.Lock()
	was := l.session != nil
	if was || l.downSince.IsZero() {
		l.downSince = c.deps.Now()
	}
	news := was || l.last == nil || err == nil || l.last.Error() != err.Error()
	l.session, l.last, l.hopeless = nil, err, l.hopeless || err == nil
	state := l.state()
	c.mu.Unlock()
	if news {
		c.deps.Observer.Changed(c.cfg.Name, state)
	}
}

// state describes the link. The caller holds carrier.mu.
func (l *link) state() BindState {
	b := BindState{Bind: l.bind, Kind: l.kind.String(), Bound: l.session != nil, Rate: l.throttle.String()}
	if l.session != nil {
		b.Window = l.session.inFlight()
	}
	if l.last != nil {
		b.LastErr = l.last.Error()
	}
	return b
}
