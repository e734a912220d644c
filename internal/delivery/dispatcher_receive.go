package delivery

import (
	"context"
	"fmt"
	"time"
)

const (
	// lateBound is how long a receipt waits for the submit that it tells of to
	// be recorded: carriers are sometimes faster than our own commit.
	lateBound = 5 * time.Second
	// maxLate is how many receipts wait so at a time; more are unknown at once.
	maxLate = 1000

	latePause, maxLatePause = 10 * time.Millisecond, 500 * time.Millisecond
)

// Receive records a carrier's receipt. It returns when the receipt is durable,
// and reports whether the reference is known: carriers are told "received"
// either way. It waits up to 5 s for a reference that is not known yet.
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
	select {
	case d.late <- struct{}{}:
		defer func() { <-d.late }()
	default:
		return false, nil
	}
	var waited time.Duration
	timer := time.NewTimer(latePause)
	defer timer.Stop()
	for pause := latePause; waited < lateBound; pause = min(2*pause, maxLatePause) {
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return false, fmt.Errorf("wait for the submit of a receipt: %w", context.Cause(ctx))
		case <-timer.C:
		}
		waited += pause
		if known, err := d.receive(ctx, r); known || err != nil {
			return known, err
		}
	}
	return false, nil
}
