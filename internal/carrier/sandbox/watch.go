package sandbox

import (
	"context"
	"sync"
)

// watchers are told of messages that this process puts into the inbox. The zero
// watchers have nobody to tell.
type watchers struct {
	mu    sync.Mutex // guards what follows
	all   map[*watcher]struct{}
	ended bool
}

type watcher struct {
	account string // "" for every account
	woken   chan string
}

// Watch returns a channel that tells the account of every message that this
// process puts into the inbox from now on, and a function that ends that; "" is
// every account. Whoever does not read misses some, never the last: it looks
// into the inbox anyway. The channel is closed when the inbox's Run ends.
//
// What other nodes put in is not told: look from time to time.
func (b *Inbox) Watch(account string) (woken <-chan string, stop func()) {
	w := &watcher{account, make(chan string, 16)}
	b.watched.mu.Lock()
	defer b.watched.mu.Unlock()
	if b.watched.ended {
		close(w.woken)
		return w.woken, func() {}
	}
	if b.watched.all == nil {
		b.watched.all = map[*watcher]struct{}{}
	}
	b.watched.all[w] = struct{}{}
	return w.woken, func() {
		b.watched.mu.Lock()
		defer b.watched.mu.Unlock()
		delete(b.watched.all, w)
	}
}

// tell wakes whoever watches the account. It does not block.
func (s *watchers) tell(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for w := range s.all {
		if w.account != "" && w.account != account {
			continue
		}
		select {
		case w.woken <- account:
		default: // it has news to read already
		}
	}
}

// end closes every watcher's channel.
func (s *watchers) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	for w := range s.all {
		close(w.woken)
	}
}

// Tell calls f with the account of every message that this process puts into
// the inbox, until ctx ends.
func (b *Inbox) Tell(ctx context.Context, f func(account string)) error {
	woken, stop := b.Watch("")
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case account, open := <-woken:
			if !open {
				return nil
			}
			f(account)
		}
	}
}
