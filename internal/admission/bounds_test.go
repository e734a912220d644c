package admission_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/verify"
)

func checking(s verify.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.CountAttempt(ctx, verify.Attempt{})
		return err
	}
}

func TestHundredsOfChecksAreNeverRefusedHoweverSlowTheDatabaseIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, s := gate(&database{check: 5 * time.Second})
		for range 3 { // after the first round it is known how slow they are
			if o := together(t, 512, checking(s)); o.refused > 0 {
				t.Fatalf("of 512 checks at once %d were refused", o.refused)
			}
		}
	})
}

func TestOneCheckMoreThanIsNeverRefusedIsRefusedWhenNothingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, s := gate(&database{check: 5 * time.Second})
		var calls sync.WaitGroup
		for i := range 512 {
			if i == 500 { // nothing ends for longer than anybody waits
				time.Sleep(time.Second)
			}
			if err := g.Room(admission.Check); err != nil {
				t.Errorf("room for the check number %d = %v", i+1, err)
				break
			}
			calls.Go(func() {
				if err := checking(s)(t.Context()); err != nil {
					t.Errorf("check = %v", err)
				}
			})
			synctest.Wait()
		}
		if err := g.Room(admission.Check); !errors.Is(err, verify.ErrOverloaded) {
			t.Errorf("room for the check number 513 = %v, want ErrOverloaded", err)
		}
		calls.Wait()
	})
}

// Groups cost little more when they are larger, so that what a few take says
// nothing of many.
func TestWhatAFewTakeTellsNothingOfMany(t *testing.T) {
	t.Parallel()
	for few, refused := range map[int]int{1: 0, 15: 0, 16: 1000 - 64} {
		synctest.Test(t, func(t *testing.T) {
			d := &database{send: 100 * time.Millisecond}
			_, s := gate(d)
			if o := together(t, few, sending(s)); o.refused > 0 {
				t.Fatalf("of %d sends at once %d were refused", few, o.refused)
			}
			d.send = time.Millisecond
			if o := together(t, 1000, sending(s)); o.refused != refused {
				t.Errorf("after %d slow sends at once, of 1000 %d were refused; want %d", few, o.refused, refused)
			}
		})
	}
}

// limiting is a store that refuses every send for a limit once its turn comes.
type limiting struct {
	verify.Store

	turn chan struct{} // holds the send that is under way
	each time.Duration
}

func (l *limiting) CreateOTP(context.Context, verify.NewOTP) (verify.Record, error) {
	l.turn <- struct{}{}
	time.Sleep(l.each)
	<-l.turn
	return verify.Record{}, &verify.LimitError{Limit: "sends", RetryAfter: time.Minute}
}

// A send that a limit refuses took its time in the database all the same.
func TestWhatALimitRefusesIsMeasuredToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &limiting{turn: make(chan struct{}, 1), each: 100 * time.Millisecond}
		s := admission.New(time.Now, func(admission.Work) {}).Store(l)
		call := func(ctx context.Context) error {
			err := sending(s)(ctx)
			if _, limited := errors.AsType[*verify.LimitError](err); limited {
				return nil
			}
			return err
		}
		together(t, 16, call)
		l.each = time.Millisecond
		if o := together(t, 1000, call); o.accepted != 64 || o.refused != 1000-64 {
			t.Errorf("after sends that a limit refused slowly, of 1000 at once %d came through and %d were refused; want 64", o.accepted, o.refused)
		}
	})
}
