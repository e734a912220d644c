package delivery

import (
	"context"
	"log/slog"
	"time"
)

const (
	// apartPause is how soon an outcome is tried again that failed by itself.
	apartPause = time.Second
	// apartRun is how often it may, while others were recorded in between, before
	// only the bare outcome is recorded: a row that others lock is free by then.
	apartRun = 5
)

// setApart is what is known of an outcome that failed by itself. The zero value
// is one that did not.
type setApart struct {
	due      time.Time // when it is tried again
	failures int       // since others were recorded in between, each time
	recorded uint64    // how many transactions there were when it last failed
}

// bare is an outcome without all that its carrier chose: what of it can be
// recorded if the rest cannot. Without the carrier's id no receipt is found, so
// that its wait decides.
func bare(o SubmitOutcome) SubmitOutcome {
	o.Tries, o.Result.Ref, o.Result.Taken = nil, "", ""
	if o.Result.Class != Accepted {
		o.Result.Failure = unexpected()
	}
	if r := o.Result.Receipt; r != nil {
		o.Result.Receipt = &Receipt{State: r.State, Busy: r.Busy}
		if r.State == ReceiptUndeliverable {
			o.Result.Receipt.Failure = unexpected()
		}
	}
	return o
}

// unrecorded is what record left.
type unrecorded struct {
	left  []outcome
	alone []outcome // failed by themselves
	sick  bool      // it seems to be the database, and not they
	err   error     // the last; nil if all were recorded
}

// record records a batch. One that fails is halved, and so on, until those that
// are to blame have failed by themselves; it gives up where one does with nothing
// recorded before it or since the last. recorded counts transactions.
func (d *Dispatcher) record(ctx context.Context, batch []outcome, recorded *uint64) (r unrecorded) {
	before := *recorded // when one last failed by itself
	for parts := [][]outcome{batch}; len(parts) > 0; {
		part := parts[0]
		parts = parts[1:]
		err := d.recordOnce(ctx, part)
		if err == nil {
			*recorded++
			for _, out := range part {
				d.settle(out.job)
			}
			continue
		}
		r.err = err
		if n := len(part); n > 1 {
			half := n / 2
			if *recorded == before {
				half = 1 // first of all: does the database answer?
			}
			parts = append([][]outcome{part[:half], part[half:]}, parts...)
			continue
		}
		out := part[0]
		blamed := out.apart.failedApart(d.cfg.Now(), *recorded)
		if blamed && out.apart.failures == apartRun {
			d.cfg.Log.ErrorContext(ctx, "what a carrier said cannot be recorded and is left out",
				slog.String("carrier", out.Carrier), slog.String("delivery", out.job.Dedupe), slog.Any("err", err))
			out.SubmitOutcome = bare(out.SubmitOutcome)
		}
		r.alone = append(r.alone, out)
		if r.sick = !blamed && *recorded == before; r.sick {
			for _, p := range parts {
				r.left = append(r.left, p...)
			}
			return r
		}
		before = *recorded
	}
	return r
}

// failedApart notes a failure. It reports whether others were recorded since the
// one before, so that the outcome is to blame and not the database.
func (a *setApart) failedApart(now time.Time, recorded uint64) bool {
	blamed := !a.due.IsZero() && recorded > a.recorded
	if blamed {
		a.failures++
	}
	a.due, a.recorded = now.Add(apartPause), recorded
	return blamed
}
