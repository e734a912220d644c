// Package highwater is what a process knows of the clock's high-water mark in its
// database: how far the clock had come, so that a step back revives nothing
// (V-10).
package highwater

import (
	"sync/atomic"
	"time"
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
	rises  chan struct{} // has one place
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

// Rises tells when a mark that rested is needed: by then it may be old, and the
// next kill may be near.
func (m *Mark) Rises() <-chan struct{} { return m.rises }

// Needed reports whether the mark has to go on: it has done its work once it is
// past the last open expiry.
func (m *Mark) Needed() bool { return m.stored.Load() <= m.needed.Load() }

// Made reports whether this process has made OTPs.
func (m *Mark) Made() bool { return m.made.Load() }

// Due reports whether the mark is to be stored at now, the store's time, which is
// so far ahead of the clock that it follows. Others that start meanwhile have
// nothing but the mark to learn that from.
func (m *Mark) Due(now time.Time, ahead time.Duration) bool {
	return m.Needed() || ahead > aheadBy || now.UnixMicro()-m.stored.Load() >= leastEvery.Microseconds()
}
