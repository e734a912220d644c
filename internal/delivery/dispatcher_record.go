package delivery

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// recordBatch is how many outcomes one transaction records at most.
const recordBatch = 500

// outcome is what came of a claimed job.
type outcome struct {
	SubmitOutcome
	job   leased
	apart setApart
}

// outcomes are those not yet recorded. The number of claimed jobs bounds them.
type outcomes struct {
	kick chan struct{} // of size 1: some were put, or closed

	mu      sync.Mutex // guards what follows
	waiting []outcome
	aside   []outcome // those that failed by themselves, the next due first
	turn    bool      // one of those aside was taken last: the others have their turn
	closed  bool
	giveUp  time.Time // once closed
}

func (o *outcomes) put(out outcome) {
	o.mu.Lock()
	o.waiting = append(o.waiting, out)
	o.mu.Unlock()
	signal(o.kick)
}

// take returns the oldest outcomes, at most limit, or one of those set aside
// that are due, by turns.
func (o *outcomes) take(limit int, now time.Time) []outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	due := len(o.aside) > 0 && (o.closed || !now.Before(o.aside[0].apart.due))
	if o.turn = due && (!o.turn || len(o.waiting) == 0); o.turn {
		batch := o.aside[:1:1]
		o.aside = o.aside[1:]
		return batch
	}
	n := min(limit, len(o.waiting))
	batch := o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	return batch
}

// restore puts outcomes back that could not be recorded, behind the others, and
// sets those aside that failed by themselves.
func (o *outcomes) restore(left, alone []outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, left...)
	o.aside = append(o.aside, alone...)
}

// patience is how long until one that was set aside is due; false if none was.
func (o *outcomes) patience(now time.Time) (time.Duration, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.aside) == 0 {
		return 0, false
	}
	return o.aside[0].apart.due.Sub(now), true
}

// close says that no outcome comes any more and when to give up recording.
func (o *outcomes) close(giveUp time.Time) {
	o.mu.Lock()
	o.closed, o.giveUp = true, giveUp
	o.mu.Unlock()
	signal(o.kick)
}

// ending reports whether no more come, and when to give up.
func (o *outcomes) ending() (bool, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed, o.giveUp
}

// recordAll records outcomes, all that wait in one transaction, until there
// will be no more. While the database does not answer it tries again; one that
// cannot be recorded is set aside, so that it stops no other (D-14). An outcome
// whose lease has ended is given up, as the delivery is handed over again.
func (d *Dispatcher) recordAll(ctx context.Context) {
	limit, failures := recordBatch, 0
	var recorded uint64 // transactions so far
	for {
		ended, giveUp := d.outcomes.ending() // asked first: what was put before close is then seen
		batch := d.outcomes.take(limit, d.cfg.Now())
		if len(batch) == 0 {
			if !d.awaitOutcomes(ended) {
				return
			}
			continue
		}
		r := d.record(ctx, batch, &recorded)
		if r.err == nil {
			limit, failures = min(limit*2, recordBatch), 0
			continue
		}
		d.cfg.Log.ErrorContext(ctx, "outcomes of deliveries are not recorded yet",
			slog.Int("count", len(r.left)+len(r.alone)), slog.Any("err", r.err))
		now := d.cfg.Now()
		none := ended && !now.Before(giveUp)
		d.outcomes.restore(d.keepable(r.left, now, none), d.keepable(r.alone, now, none))
		if !r.sick {
			failures = 0
			continue
		}
		limit = 1
		d.pause(min(failurePause<<min(failures, 3), maxPause))
		failures++
	}
}

// awaitOutcomes waits until there may be outcomes to record. False means that
// there will be none.
func (d *Dispatcher) awaitOutcomes(ended bool) bool {
	wait, apart := d.outcomes.patience(d.cfg.Now())
	if !apart {
		if !ended {
			<-d.outcomes.kick
		}
		return !ended
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-d.outcomes.kick:
	case <-timer.C:
	}
	return true
}

// keepable returns the outcomes that may still be recorded and gives up the
// others.
func (d *Dispatcher) keepable(batch []outcome, now time.Time, none bool) []outcome {
	var keep []outcome
	for _, out := range batch {
		if none || now.After(out.job.until.Add(submitBound+leaseMargin)) {
			d.cfg.Observer.Lost()
			d.settle(out.job)
			continue
		}
		keep = append(keep, out)
	}
	return keep
}

// pause waits. It is only used where the wait is short and bounded.
func (d *Dispatcher) pause(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	<-timer.C
}

// recordOnce records outcomes in one transaction and tells who waits for it.
func (d *Dispatcher) recordOnce(ctx context.Context, batch []outcome) error {
	bare := make([]SubmitOutcome, len(batch))
	for i, out := range batch {
		bare[i] = out.SubmitOutcome
	}
	started, err := d.cfg.Store.RecordSubmits(ctx, bare)
	if err != nil {
		return fmt.Errorf("record submits: %w", err)
	}
	if started {
		d.Wake()
	}
	d.cfg.OnEvents()
	return nil
}
