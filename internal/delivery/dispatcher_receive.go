package delivery

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// MaxLate is how many receipts wait at a time for the submit that they tell of.
// One more ends the wait of that which has waited longest: commits take
// milliseconds, so that it is the likeliest to be of no message of ours.
const MaxLate = 1000

const (
	// lateBound is how long a receipt waits for the submit that it tells of to
	// be recorded: carriers are sometimes faster than our own commit.
	lateBound = 5 * time.Second

	latePause, maxLatePause = 10 * time.Millisecond, 500 * time.Millisecond
)

// Receive records a carrier's receipt. It returns when the receipt is durable,
// and reports whether the reference is known: carriers are told "received"
// either way. It waits up to 5 s for a reference that is not known yet, less long
// where more than MaxLate receipts do.
func (d *Dispatcher) Receive(ctx context.Context, r Receipt) (known bool, err error) {
	known, err = d.receive(ctx, r)
	if err == nil && !known {
		known, err = d.receiveLater(ctx, r)
	}
	if err != nil {
		return false, err
	}
	d.cfg.Observer.Received(r.Carrier, r.State, known)
	return known, nil
}

func (d *Dispatcher) receive(ctx context.Context, r Receipt) (bool, error) {
	known, started, err := d.cfg.Store.RecordReceipt(ctx, r)
	if err != nil {
		return false, fmt.Errorf("record receipt: %w", err)
	}
	if started {
		d.Wake()
	}
	if known {
		d.cfg.OnEvents()
	}
	return known, nil
}

// receiveLater tries again for a while.
func (d *Dispatcher) receiveLater(ctx context.Context, r Receipt) (bool, error) {
	place, longest := d.late.enter()
	defer d.late.leave(place)
	patience := time.NewTimer(lateBound)
	defer patience.Stop()
	timer := time.NewTimer(latePause)
	defer timer.Stop()
	for pause, over := latePause, false; !over; pause = min(2*pause, maxLatePause) {
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("wait for the submit of a receipt: %w", context.Cause(ctx))
		case <-longest:
			over = true
		case <-patience.C: // by the clock, however slow the database is: carriers wait for us
			over = true
		case <-timer.C:
		}
		if known, err := d.receive(ctx, r); known || err != nil {
			return known, err
		}
	}
	return false, nil
}

// lateness holds the receipts that wait for their submits, MaxLate at most. The
// zero value is empty.
type lateness struct {
	mu      sync.Mutex // guards what follows
	waiting list.List  // of chan struct{}, the one that has waited longest in front
}

// enter takes a place. longest is closed when another needs it.
func (l *lateness) enter() (place *list.Element, longest <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Len() == MaxLate {
		close(l.waiting.Remove(l.waiting.Front()).(chan struct{}))
	}
	c := make(chan struct{})
	return l.waiting.PushBack(c), c
}

// leave gives a place back, if it was not taken away.
func (l *lateness) leave(place *list.Element) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting.Remove(place)
}
