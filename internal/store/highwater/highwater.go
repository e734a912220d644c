// Package highwater is what a process knows of the clock's high-water mark in its
// database: how far the clock had come, so that a step back revives nothing
// (V-10).
package highwater

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/upkeep"
)

// Meta names the row of the mark, in microseconds.
const Meta = "clock_high_water"

// When a mark that no OTP needs goes on all the same.
const (
	// leastEvery bounds how far a step back over a restart brings back what is not
	// OTPs: sessions, invitations, waiting callbacks.
	leastEvery = time.Minute
	// aheadBy is how far the store's time may be ahead of the clock that it follows
	// without a word to those who start later.
	aheadBy = time.Second
)

// Mark is the mark as it was last stored or seen. It is safe for concurrent use.
type Mark struct {
	stored atomic.Int64  // microseconds
	needed atomic.Int64  // the latest expiry that a step back could revive
	made   atomic.Bool   // by this process
	rises  chan struct{} // signals that a mark that rested is needed; has one place
}

// New returns the mark of a database without one.
func New() *Mark { return &Mark{rises: make(chan struct{}, 1)} }

// Stored notes that the mark stands at us.
func (m *Mark) Stored(us int64) { m.stored.Store(us) }

// Open notes that there is an OTP that is open until expires, in microseconds.
func (m *Mark) Open(expires int64) {
	for {
		was := m.needed.Load()
		if expires <= was || m.needed.CompareAndSwap(was, expires) {
			return
		}
	}
}

// Expects notes that this process has made an OTP that is open until expires.
func (m *Mark) Expects(expires time.Time) {
	rested := !m.Needed()
	m.Open(expires.UnixMicro())
	m.made.Store(true)
	if rested && m.Needed() {
		select {
		case m.rises <- struct{}{}:
		default:
		}
	}
}

// Needed reports whether the mark has to go on: it has done its work once it is
// past the last open expiry.
func (m *Mark) Needed() bool { return m.stored.Load() <= m.needed.Load() }

// Known reports whether it is needed for what this process has made itself: then
// nobody has to look for what others have.
func (m *Mark) Known() bool { return m.made.Load() && m.Needed() }

// Due reports whether the mark is to be stored at now, the store's time, which is
// so far ahead of the clock that it follows. Others that start meanwhile have
// nothing but the mark to learn that from.
func (m *Mark) Due(now time.Time, ahead time.Duration) bool {
	return m.Needed() || ahead > aheadBy || now.UnixMicro()-m.stored.Load() >= leastEvery.Microseconds()
}

// Keep calls keep, which stores the mark if it is due, until ctx ends. failed is
// told of a failure once until it is over.
func (m *Mark) Keep(ctx context.Context, keep func(context.Context) error, failed func(error)) {
	ticker := time.NewTicker(upkeep.HighWaterEvery)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-m.rises: // by now it may be old, and the next kill may be near
		}
		err := keep(ctx)
		if err != nil && ctx.Err() == nil && !failing { // a full disk stays so for a while
			failed(err)
		}
		failing = err != nil
	}
}

// leaveBound is how long a store that is being closed waits to leave its mark.
const leaveBound = time.Second

// Leave calls raise, which stores the mark, for the OTPs that this process made:
// as a command it may have been here for less than it takes to be due.
func (m *Mark) Leave(raise func(context.Context) error, log *slog.Logger) {
	if !m.Known() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveBound)
	defer cancel()
	if err := raise(ctx); err != nil {
		log.WarnContext(ctx, "store the clock's high-water mark", slog.Any("err", err))
	}
}
