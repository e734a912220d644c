package sandbox

import (
	"sync"
	"time"
)

// maxTimers bounds the receipts that are to come later; more never come.
const maxTimers = 10_000

// timers runs functions later, and none once it is closed.
type timers struct {
	after func(d time.Duration, f func()) (stop func() bool)

	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	pending map[int]func() bool
	next    int
	closed  bool
}

// start runs f once d has passed.
func (t *timers) start(d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.pending) >= maxTimers {
		return
	}
	if t.pending == nil {
		t.pending = map[int]func() bool{}
	}
	n := t.next
	t.next++
	t.running.Add(1)
	t.pending[n] = t.after(d, func() {
		defer t.running.Done()
		t.mu.Lock()
		delete(t.pending, n)
		t.mu.Unlock()
		f()
	})
}

// close stops what has not begun and waits for the rest.
func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	for n, stop := range t.pending {
		if stop() {
			delete(t.pending, n)
			t.running.Done()
		}
	}
	t.mu.Unlock()
	t.running.Wait()
}
