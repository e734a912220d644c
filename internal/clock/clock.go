// Package clock is the one authority for the time on a node that keeps its
// own database (V-10): wall time that never goes back. While the process runs
// it advances at least as fast as the monotonic clock, and a stored high-water
// mark carries it over restarts, so a wall clock set back revives nothing that
// has expired.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time. It is safe for concurrent use.
type Clock struct {
	wall func() time.Time

	mu   sync.Mutex // guards what follows
	raw  time.Time  // last reading of wall, with its monotonic part
	last time.Time  // last time told
}

// New returns a clock over wall, which is time.Now in production, that tells
// no time before floor.
func New(wall func() time.Time, floor time.Time) *Clock {
	raw := wall()
	c := &Clock{wall: wall, raw: raw, last: raw.Round(0).UTC()}
	if c.last.Before(floor) {
		c.last = floor.UTC()
	}
	return c
}

// Now returns the time in UTC, in microseconds, never before an earlier
// answer.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw := c.wall()
	next := c.last
	if gone := raw.Sub(c.raw); gone > 0 { // monotonic where wall has such a reading
		next = next.Add(gone)
	}
	if w := raw.Round(0).UTC(); w.After(next) {
		next = w
	}
	c.raw, c.last = raw, next
	return next.Truncate(time.Microsecond)
}

// Ahead returns how far the clock is ahead of the wall, which is more than
// zero after the wall was set back.
func (c *Clock) Ahead() time.Duration {
	now := c.Now()
	return now.Sub(c.wall().Round(0).UTC())
}
