// Package underway counts what a store has under way, so that closing it waits
// for that and nothing begins afterwards.
package underway

import "sync"

// Group is work under way. The zero Group has none. It is safe for concurrent
// use.
type Group struct {
	mu     sync.Mutex // guards closed, and adding to all against waiting for it
	closed bool
	all    sync.WaitGroup
}

// Go runs f in a goroutine and reports true, or false after Close: then f is not
// run.
func (g *Group) Go(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.all.Go(f)
	return true
}

// Close waits for what was begun.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.all.Wait()
}
