// Package live tells open pages that something changed. A page names topics;
// each has a source that gives the version of what the topic shows, a text that
// changes whenever that does. Streams compare versions when they are poked in
// this process, and every second or quarter of one (Soon) for what other nodes
// did; where no page is open, nothing is looked at. The id of an event
// holds the versions that the page has then seen, so that a connection that
// broke goes on without losing a change.
package live

import (
	"context"
	"errors"
	"sync"

	"github.com/countersign/countersign/internal/admission"
)

// ErrFull says that there are too many streams, of the process or of the account,
// or the server is about to end. Pages then show that they are not live.
var ErrFull = errors.New("no room for another live page")

// Hub wakes streams. It is safe for concurrent use. The zero Hub works.
type Hub struct {
	seats admission.Seats // of streams

	mu      sync.Mutex // guards what follows
	streams map[*waiter]struct{}
	closed  bool
}

// waiter is a stream's side of the hub.
type waiter struct {
	account string
	woken   chan struct{} // holds one poke; closed with the hub
}

// Poke wakes the streams of an account; "" wakes all. It does not block.
func (h *Hub) Poke(account string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.streams {
		if account != "" && w.account != account || h.closed {
			continue
		}
		select {
		case w.woken <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// Run ends every stream when ctx ends, and refuses new ones.
func (h *Hub) Run(ctx context.Context) error {
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		for w := range h.streams {
			close(w.woken)
		}
	}
	return nil
}

func (h *Hub) join(account string) (*waiter, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || !h.seats.Take(account) {
		return nil, ErrFull
	}
	if h.streams == nil {
		h.streams = map[*waiter]struct{}{}
	}
	w := &waiter{account, make(chan struct{}, 1)}
	h.streams[w] = struct{}{}
	return w, nil
}

func (h *Hub) leave(w *waiter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, w)
	h.seats.Leave(w.account)
}
