// Package stolen tells tests how much time the machine has taken from them, so
// that a limit in seconds judges the program and not a machine that does
// something else meanwhile.
package stolen

import (
	"sync"
	"testing"
	"time"
)

// A watch sleeps so long again and again, and counts what is more than late.
const (
	nap  = 5 * time.Millisecond
	late = time.Millisecond
)

// watches are as many as can be on different processors of a small machine.
// What they count is their average: less than the time that has passed.
const watches = 2

// Watch counts, until its test ends, how much too late those are that only
// sleep.
type Watch struct {
	mu    sync.Mutex    // guards total
	total time.Duration // of all watches
}

// Start begins to count.
func Start(t testing.TB) *Watch {
	t.Helper()
	w := &Watch{}
	ended := make(chan struct{})
	var all sync.WaitGroup
	for range watches {
		all.Go(func() { w.run(ended) })
	}
	t.Cleanup(func() {
		close(ended)
		all.Wait()
	})
	return w
}

func (w *Watch) run(ended <-chan struct{}) {
	for {
		begun := time.Now() //nolint:forbidigo // what the machine's clock says
		select {
		case <-ended:
			return
		case <-time.After(nap):
		}
		if over := time.Since(begun) - nap; over > late {
			w.mu.Lock()
			w.total += over
			w.mu.Unlock()
		}
	}
}

// Total is what was taken since the start: next to nothing on a machine that
// has time. The difference of two totals is what was taken between them.
func (w *Watch) Total() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total / watches
}

// Span is a time that a test measures.
type Span struct {
	w      *Watch
	begun  time.Time
	before time.Duration
}

// Begin begins a span.
func (w *Watch) Begin() Span {
	return Span{w: w, begun: time.Now(), before: w.Total()} //nolint:forbidigo // as run
}

// Taken is what the machine took of the span until now.
func (s Span) Taken() time.Duration { return s.w.Total() - s.before }

// Own is how long the span is until now, without what the machine took: what
// a limit in seconds is for.
func (s Span) Own() time.Duration { return time.Since(s.begun) - s.Taken() }

// Exceeds reports whether the span is longer than a limit in seconds. Of one
// that the machine took most of, nobody knows how long it would have been: it
// exceeds nothing.
func (s Span) Exceeds(limit time.Duration) bool {
	own := s.Own()
	return own > limit && s.Taken() < own
}

// askEvery is how often Within asks.
const askEvery = 10 * time.Millisecond

// Within asks until the answer is yes, and fails the test where a question that
// began after the limit has another one: how long an answer takes is the
// machine's affair. It returns when the last question that got no yes began.
func Within(t testing.TB, limit time.Duration, what string, yes func() bool) (last time.Duration) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(askEvery) { //nolint:forbidigo // as run
		asked := time.Since(begun)
		if yes() {
			return last
		}
		if last = asked; asked > limit {
			t.Fatalf("%v later, want %v at most, not: %s", asked, limit, what)
		}
	}
}
