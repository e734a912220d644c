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
	job leased
}

// outcomes are those not yet recorded. The number of claimed jobs bounds them.
type outcomes struct {
	kick chan struct{} // of size 1: some were put, or closed

	mu      sync.Mutex // guards what follows
	waiting []outcome
	closed  bool
	giveUp  time.Time // once closed
}

func (o *outcomes) put(out outcome) {
	o.mu.Lock()
	o.waiting = append(o.waiting, out)
	o.mu.Unlock()
	signal(o.kick)
}

// take returns the oldest outcomes, at most limit.
func (o *outcomes) take(limit int) []outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(limit, len(o.waiting))
	batch := o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	return batch
}

// restore puts outcomes back that could not be recorded, behind the others.
func (o *outcomes) restore(batch []outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, batch...)
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
// will be no more. While the database does not answer it tries again, with
// smaller batches, so that one that cannot be recorded stops no other for
// long; an outcome whose lease has ended is given up, as the delivery is
// handed over again.
func (d *Dispatcher) recordAll(ctx context.Context) {
	limit, failures := recordBatch, 0
	for {
		ended, giveUp := d.outcomes.ending() // asked first: what was put before close is then seen
		batch := d.outcomes.take(limit)
		if len(batch) == 0 {
			if ended {
				return
			}
			<-d.outcomes.kick
			continue
		}
		err := d.recordOnce(ctx, batch)
		if err == nil {
			limit, failures = min(limit*2, recordBatch), 0
			for _, out := range batch {
				d.settle(out.job)
			}
			continue
		}
		d.cfg.Log.ErrorContext(ctx, "outcomes of deliveries are not recorded yet", slog.Int("count", len(batch)), slog.Any("err", err))
		now := d.cfg.Now()
		d.outcomes.restore(d.keepable(batch, now, ended && !now.Before(giveUp)))
		limit = max(len(batch)/2, 1)
		d.pause(min(failurePause<<min(failures, 3), maxPause))
		failures++
	}
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
