package admission_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/verify"
)

// database is a store that does one send after the other, each in a time of
// its own, and checks in another.
type database struct {
	verify.Store

	turn  chan struct{} // holds the send that is under way
	send  time.Duration
	check time.Duration
	err   error
}

func (d *database) CreateOTP(ctx context.Context, _ verify.NewOTP) (verify.Record, error) {
	if d.err != nil {
		return verify.Record{}, d.err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return verify.Record{}, ctx.Err()
	}
	time.Sleep(d.send)
	<-d.turn
	return verify.Record{}, nil
}

func (d *database) AddDelivery(ctx context.Context, _ verify.NewDelivery) (verify.Record, error) {
	return d.CreateOTP(ctx, verify.NewOTP{})
}

func (d *database) CountAttempt(context.Context, verify.Attempt) (verify.Checked, error) {
	time.Sleep(d.check)
	return verify.Checked{}, nil
}

// outcome is what came of calls.
type outcome struct {
	mu       sync.Mutex // guards what follows
	accepted int
	refused  int
	slowest  time.Duration // of the accepted
	waited   time.Duration // longest of the refused
}

func (o *outcome) note(t *testing.T, begun time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	took := time.Since(begun)
	switch {
	case err == nil:
		o.accepted++
		o.slowest = max(o.slowest, took)
	case errors.Is(err, verify.ErrOverloaded):
		o.refused++
		o.waited = max(o.waited, took)
	default:
		t.Errorf("call = %v", err)
	}
}

func gate(d *database) (*admission.Gate, verify.Store) {
	g := admission.New(time.Now, func(admission.Work) {})
	d.turn = make(chan struct{}, 1)
	return g, g.Store(d)
}

// arrive makes a call every so often for a while and waits for the answers.
func arrive(t *testing.T, span, every time.Duration, call func(context.Context) error) *outcome {
	t.Helper()
	var o outcome
	var calls sync.WaitGroup
	for begun := time.Now(); time.Since(begun) < span; time.Sleep(every) {
		calls.Go(func() {
			at := time.Now()
			o.note(t, at, call(t.Context()))
		})
	}
	calls.Wait()
	return &o
}

func sending(s verify.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.CreateOTP(ctx, verify.NewOTP{})
		return err
	}
}

// together makes n calls at once and waits for the answers.
func together(t *testing.T, n int, call func(context.Context) error) *outcome {
	t.Helper()
	var o outcome
	var calls sync.WaitGroup
	for range n {
		calls.Go(func() { o.note(t, time.Now(), call(t.Context())) })
	}
	calls.Wait()
	return &o
}

func TestTwiceTheCapacityIsHalfRefusedAtOnceAndTheRestIsQuick(t *testing.T) {
	t.Parallel()
	for _, each := range []time.Duration{200 * time.Microsecond, time.Millisecond, 3 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			_, s := gate(&database{send: each})
			o := arrive(t, 10*time.Second, each/2, sending(s))
			capacity := int(10 * time.Second / each)
			if o.accepted < capacity*9/10 {
				t.Errorf("sends of %v: %d were done, want 90 %% of %d at least", each, o.accepted, capacity)
			}
			if o.slowest > 500*time.Millisecond {
				t.Errorf("sends of %v: the slowest took %v, want at most 500 ms", each, o.slowest)
			}
			if o.refused < capacity/2 || o.waited > 0 {
				t.Errorf("sends of %v: %d were refused, the last after %v; want about %d, at once", each, o.refused, o.waited, capacity)
			}
		})
	}
}

func TestWhatIsLessThanTheCapacityIsNeverRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := gate(&database{send: time.Millisecond})
		if o := arrive(t, 10*time.Second, 1250*time.Microsecond, sending(s)); o.refused > 0 {
			t.Errorf("at 80 %% of the capacity %d sends were refused", o.refused)
		}
	})
}

func TestAFewDozenAreNeverRefusedHoweverSlowTheDatabaseIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := gate(&database{send: 100 * time.Millisecond})
		for range 5 {
			if o := together(t, 64, sending(s)); o.refused > 0 {
				t.Fatalf("of 64 sends at once %d were refused", o.refused)
			}
		}
	})
}

func TestNothingMoreIsTakenWhenNothingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{send: 100 * time.Microsecond}
		_, s := gate(d)
		arrive(t, time.Second, 50*time.Microsecond, sending(s)) // more than a thousand may be under way
		d.turn <- struct{}{}
		var o outcome
		var calls sync.WaitGroup
		for i := range 2000 {
			if i == 100 {
				time.Sleep(time.Second)
			}
			calls.Go(func() { o.note(t, time.Now(), sending(s)(t.Context())) })
			synctest.Wait()
		}
		if o.refused != 1900 {
			t.Errorf("while nothing ended for a second %d of 1900 sends were refused", o.refused)
		}
		<-d.turn
		calls.Wait()
	})
}

// Callers that leave a database that stands make no room for others.
func TestNothingMoreIsTakenWhenNothingEndsThoughCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		_, s := gate(d)
		d.turn <- struct{}{}
		var calls sync.WaitGroup
		call := func(o *outcome, patience time.Duration) {
			calls.Go(func() {
				ctx, leave := context.WithTimeout(t.Context(), patience)
				defer leave()
				at := time.Now()
				if _, err := s.CreateOTP(ctx, verify.NewOTP{}); !errors.Is(err, context.DeadlineExceeded) {
					o.note(t, at, err)
				}
			})
			synctest.Wait()
		}
		var first, later outcome
		for range 40 {
			call(&first, time.Hour)
			call(&first, time.Hour)
			call(&first, 5*time.Second)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		for range 1500 {
			call(&later, time.Second)
			time.Sleep(10 * time.Millisecond)
		}
		// Meanwhile some leave, and what waits is still more than is let in by a
		// database that stands.
		if later.refused != 1500 {
			t.Errorf("of 1500 sends that found everything standing %d were refused", later.refused)
		}
		<-d.turn
		calls.Wait()
		if first.accepted != 80 || first.refused > 0 {
			t.Errorf("of 80 sends that waited %d were done, %d refused", first.accepted, first.refused)
		}
	})
}

func TestChecksPassWhereSendsAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{send: 3 * time.Millisecond, check: 5 * time.Millisecond}
		g, s := gate(d)
		var sends sync.WaitGroup
		sends.Go(func() { arrive(t, 5*time.Second, time.Millisecond, sending(s)) })
		var refused atomic.Int64
		checks := arrive(t, 5*time.Second, 10*time.Millisecond, func(ctx context.Context) error {
			if g.Room(admission.Send) != nil {
				refused.Add(1)
			}
			if err := g.Room(admission.Check); err != nil {
				return err
			}
			_, err := s.CountAttempt(ctx, verify.Attempt{})
			return err
		})
		sends.Wait()
		if checks.refused > 0 || checks.slowest > 5*time.Millisecond {
			t.Errorf("%d checks were refused, the slowest took %v; want none behind sends", checks.refused, checks.slowest)
		}
		if refused.Load() == 0 {
			t.Error("a send that arrived was never told that there is no room")
		}
	})
}

func TestASlowTimeIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &database{send: 20 * time.Millisecond}
		_, s := gate(d)
		if o := arrive(t, 5*time.Second, time.Millisecond, sending(s)); o.refused == 0 {
			t.Fatal("nothing was refused by a slow database")
		}
		d.send = 100 * time.Microsecond
		time.Sleep(11 * time.Second)
		if o := together(t, 1000, sending(s)); o.refused > 0 {
			t.Errorf("of 1000 sends at once %d were refused for what was long ago", o.refused)
		}
	})
}

func TestWhatFailsAtOnceDoesNotMakeTheDatabaseLookQuick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, s := gate(&database{send: 3 * time.Millisecond})
		failing := g.Store(&database{err: verify.ErrIdempotencyMismatch})
		o := arrive(t, 5*time.Second, time.Millisecond, func(ctx context.Context) error {
			for range 3 {
				_, _ = failing.CreateOTP(ctx, verify.NewOTP{})
			}
			return sending(s)(ctx)
		})
		if o.slowest > 500*time.Millisecond {
			t.Errorf("beside sends that fail the slowest accepted one took %v, want at most 500 ms", o.slowest)
		}
	})
}

func TestEveryRefusalIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := map[admission.Work]int{}
		var mu sync.Mutex // guards told
		g := admission.New(time.Now, func(w admission.Work) {
			mu.Lock()
			defer mu.Unlock()
			told[w]++
		})
		s := g.Store(&database{send: 10 * time.Millisecond, turn: make(chan struct{}, 1)})
		o := arrive(t, 2*time.Second, time.Millisecond, sending(s))
		if o.refused == 0 || told[admission.Send] != o.refused || told[admission.Check] != 0 {
			t.Errorf("%d sends were refused and %v told", o.refused, told)
		}
		if err := g.Room(admission.Other); err != nil {
			t.Errorf("room for what is neither a send nor a check = %v, want always", err)
		}
	})
}
