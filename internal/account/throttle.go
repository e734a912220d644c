package account

import (
	"sync"
	"time"
)

// What a throttled key may do: the limit that Power Platform puts on each
// connection of a certified connector, which a custom connector lacks.
const (
	throttleCalls = 100
	throttleSpan  = 60 * time.Second
)

// Throttle counts the calls of the keys that have Key.Throttle: 100 in any 60
// seconds, over all operations. It counts in memory, so each node has its own
// count. It is safe for concurrent use.
type Throttle struct {
	now   func() time.Time
	start time.Time

	mu    sync.Mutex // guards what follows
	calls map[string]*recent
	swept time.Duration
}

// recent are the times of a key's admitted calls, since the throttle's start:
// a ring, the oldest at next once it is full.
type recent struct {
	times [throttleCalls]time.Duration
	next  int
	full  bool
}

// NewThrottle returns a throttle that has counted nothing. now is time.Now in
// production.
func NewThrottle(now func() time.Time) *Throttle {
	return &Throttle{now: now, start: now(), calls: map[string]*recent{}}
}

// Admit counts a call with k and returns 0, or returns how long k has to wait
// before its next call is admitted. A call that is refused does not count.
func (t *Throttle) Admit(k Key) time.Duration {
	if !k.Throttle {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now().Sub(t.start)
	t.sweep(now)
	r := t.calls[k.ID]
	if r == nil {
		r = &recent{}
		t.calls[k.ID] = r
	}
	if wait := r.times[r.next] + throttleSpan - now; r.full && wait > 0 {
		return min(wait, throttleSpan) // more only if the clock was set back
	}
	r.times[r.next] = now
	r.next++
	if r.next == throttleCalls {
		r.next, r.full = 0, true
	}
	return 0
}

// sweep forgets keys that made no call for a whole span, once a span, so that
// what is remembered stays as small as what is in use.
func (t *Throttle) sweep(now time.Duration) {
	if now-t.swept < throttleSpan {
		return
	}
	t.swept = now
	for id, r := range t.calls {
		if now-r.times[(r.next+throttleCalls-1)%throttleCalls] >= throttleSpan {
			delete(t.calls, id)
		}
	}
}
