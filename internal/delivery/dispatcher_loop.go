package delivery

import (
	"context"
	"log/slog"
	"time"
)

// Pauses of the loop.
const (
	idlePause    = 5 * time.Millisecond  // at least, after a round that found nothing, whatever next says
	waitsPause   = 10 * time.Millisecond // at least, between two rounds that end waits, while claims go on
	failurePause = 100 * time.Millisecond
	maxPause     = 5 * time.Second // between two attempts while the database does not answer
)

// loop claims and starts what is due until ctx ends. submits is the context of
// the submits.
func (d *Dispatcher) loop(ctx, submits context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var r round
	failures := 0
	for ctx.Err() == nil {
		pause, err := d.round(ctx, submits, &r)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return
		default:
			d.cfg.Log.ErrorContext(ctx, "deliveries wait", slog.Any("err", err))
			pause = min(failurePause<<min(failures, 6), maxPause)
			failures++
		}
		if pause <= 0 {
			continue
		}
		timer.Reset(pause)
		wake, freed := d.wake, d.freed
		if failures > 0 {
			wake, freed = nil, nil // sends go on waking us: not faster against a sick database
		} else if !r.full {
			freed = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-freed:
		case <-timer.C:
		}
	}
}

// round is what one round of the loop leaves to the next.
type round struct {
	full      bool      // all workers are busy
	waitsAt   time.Time // when waits were ended last
	moreWaits bool      // there were more than one round ends
}

// round claims and starts once, ends waits if any are due, and returns how
// long to pause: 0 if there is more to do at once.
func (d *Dispatcher) round(ctx, submits context.Context, r *round) (time.Duration, error) {
	limit := min(d.claims.free(), claimBatch)
	r.full = limit <= 0
	claimed := 0
	var next time.Time
	if !r.full {
		jobs, earliest, err := d.claim(ctx, limit)
		if err != nil {
			return 0, err
		}
		for _, j := range jobs {
			d.workers.Go(func() { d.work(submits, j) })
		}
		claimed, next = len(jobs), earliest
	}
	now := d.cfg.Now()
	waitsDue := r.full && now.Sub(r.waitsAt) >= poll || // nobody told us whether any are
		!next.IsZero() && !next.After(now) && now.Sub(r.waitsAt) >= waitsPause || r.moreWaits
	ended := 0
	if waitsDue {
		n, err := d.endWaits(ctx)
		if err != nil {
			return 0, err
		}
		ended, r.waitsAt, r.moreWaits = n, now, n == claimBatch
	}
	if r.moreWaits || claimed == limit && !r.full {
		return 0, nil
	}
	pause := poll
	if !next.IsZero() {
		pause = min(pause, next.Sub(now))
	}
	if claimed+ended == 0 || r.full {
		return max(pause, idlePause), nil
	}
	return max(pause, time.Millisecond), nil
}

// work delivers one job and hands over what came of it.
func (d *Dispatcher) work(ctx context.Context, j leased) {
	if d.claims.take(j.ref(), j.Seq) {
		out, handed := d.deliver(ctx, j)
		d.claims.putDown(j.ref(), j.Seq)
		if handed {
			d.outcomes.put(outcome{SubmitOutcome: out, job: j})
			return
		}
	}
	d.settle(j)
}

// settle forgets a claimed job.
func (d *Dispatcher) settle(j leased) {
	d.claims.settle(j.ref())
	signal(d.freed)
}
