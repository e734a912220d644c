package httpsubmit

import (
	"context"
	"sync"
)

// Flights are the submits of this process whose answer has not come, by the name
// that receipts have for them. A receipt of one is not recorded before that:
// until then nobody knows by which id to find its delivery, and an answer that is
// lost is given up after longer than the dispatcher keeps an unknown receipt. A
// carrier and the one that follows it share them. The zero value has none; many
// goroutines may call its methods at once.
type Flights struct {
	mu    sync.Mutex // guards under
	under map[string]chan struct{}
}

// Begin notes a submit until end is called. Of two under one name the later
// counts.
func (f *Flights) Begin(name string) (end func()) {
	landed := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.under == nil {
		f.under = map[string]chan struct{}{}
	}
	f.under[name] = landed
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.under[name] == landed {
			delete(f.under, name)
		}
		close(landed)
	}
}

// Wait returns when the submit of this name is over, at once if there is none, or
// with false when ctx is.
func (f *Flights) Wait(ctx context.Context, name string) bool {
	f.mu.Lock()
	landed := f.under[name]
	f.mu.Unlock()
	if landed == nil {
		return true
	}
	select {
	case <-landed:
		return true
	case <-ctx.Done():
		return false
	}
}
