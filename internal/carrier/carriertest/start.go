package carriertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/delivery"
)

type runner interface {
	Run(ctx context.Context) error
}

// Start runs a carrier until the test ends, or until stop is called and has
// returned.
func Start(t testing.TB, c runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Desk keeps receipts as the dispatcher would; one that is Broken records none.
type Desk struct {
	Broken bool // not set while it is in use

	mu       sync.Mutex // guards what follows
	received []delivery.Receipt
}

// Receive takes a receipt.
func (d *Desk) Receive(_ context.Context, r delivery.Receipt) (bool, error) {
	if d.Broken {
		return false, errors.New("the store is away")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.received = append(d.received, r)
	return true, nil
}

// All returns what was received, in order; nil for nothing.
func (d *Desk) All() []delivery.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.received)
}
