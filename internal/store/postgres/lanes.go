package postgres

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/countersign/countersign/internal/verify"
)

// Bounds of group commits.
const (
	lanesPerKind = 2    // group commits under way at a time, of sends and of checks each: while one waits for the disk or a standby, the other works
	maxGroup     = 256  // callers' work in one commit: more only lengthens the wait of the first
	maxWaiting   = 2048 // work waiting in each lane; more is refused at once (verify.ErrOverloaded)
)

// Where a piece of work stands.
const (
	waiting int32 = iota
	begun
	abandoned // its caller left before it was begun
)

// work is what one caller waits for.
type work struct {
	key   string // chooses the lane; no two of one group share it
	also  string // what no two of one group may share besides, "" for nothing
	state atomic.Int32
	err   error
	done  chan struct{}
}

func (w *work) base() *work { return w }

// groupable is work that group commits can carry.
type groupable interface{ base() *work }

// lanes are goroutines that commit: each takes all the work that waits for it,
// does it in one round trip and one commit and wakes the callers. It never
// waits for more work to come. Work with one key is always of one lane, so that
// two lanes of a node never wait for each other's rows.
type lanes[J groupable] struct {
	queues []chan J
	paces  []*pace // of the queues
	seed   maphash.Seed
	alike  func(a, b J) bool
	// flush does a group's work and sets each one's err. What it returns is to
	// be done in a later group.
	flush func(group []J) (again []J)

	mu     sync.RWMutex // guards closed against sends on the queues
	closed bool
	ended  sync.WaitGroup
}

func newLanes[J groupable](alike func(a, b J) bool, flush func([]J) []J) *lanes[J] {
	l := &lanes[J]{seed: maphash.MakeSeed(), alike: alike, flush: flush}
	for range lanesPerKind {
		queue := make(chan J, maxWaiting)
		paced := newPace()
		l.queues, l.paces = append(l.queues, queue), append(l.paces, paced)
		l.ended.Go(func() { l.run(queue, paced) })
	}
	return l
}

// close ends the lanes after the work that waits.
func (l *lanes[J]) close() {
	l.mu.Lock()
	l.closed = true
	for _, q := range l.queues {
		close(q)
	}
	l.mu.Unlock()
	l.ended.Wait()
}

// submit waits until job is durable. If ctx ends before it was begun, it never
// is; once begun, it goes on and submit returns verify.ErrOutcomeUnknown
// (V-07).
func (l *lanes[J]) submit(ctx context.Context, job J) error {
	w := job.base()
	w.done = make(chan struct{})
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Cause(ctx))
	}
	l.mu.RLock()
	if l.closed {
		l.mu.RUnlock()
		return fmt.Errorf("database is closing: %w", verify.ErrUnavailable)
	}
	lane := maphash.String(l.seed, w.key) % uint64(len(l.queues))
	queue := l.queues[lane]
	if len(queue) >= l.paces[lane].room(started()) {
		l.mu.RUnlock()
		return verify.ErrOverloaded
	}
	select {
	case queue <- job:
		l.mu.RUnlock()
	default:
		l.mu.RUnlock()
		return verify.ErrOverloaded
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	if w.state.CompareAndSwap(waiting, abandoned) {
		return fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Cause(ctx))
	}
	select {
	case <-w.done:
		return w.err
	default:
		return fmt.Errorf("%w: %w", verify.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// run is one lane.
func (l *lanes[J]) run(queue chan J, paced *pace) {
	var held []J // for the next group
	open := true
	for open || len(held) > 0 {
		g := gathering[J]{alike: l.alike, most: paced.group(), keys: map[string]struct{}{}}
		for _, job := range held {
			g.add(job)
		}
		if len(g.group) == 0 { // block for the first
			job, ok := <-queue
			if open = ok; !ok {
				continue
			}
			g.add(job)
		}
	more:
		for open && len(g.group) < g.most && len(g.held) < maxGroup {
			select {
			case job, ok := <-queue:
				if open = ok; ok {
					g.add(job)
				}
			default:
				break more
			}
		}
		held = g.held
		if len(g.group) == 0 {
			continue
		}
		paced.begin(started())
		again := l.flush(g.group)
		paced.end(started(), len(g.group))
		for _, job := range again {
			job.base().state.Store(waiting) // it was not reached: its caller may leave
		}
		done := map[*work]bool{}
		for _, job := range again {
			done[job.base()] = true
		}
		for _, job := range g.group {
			if w := job.base(); !done[w] {
				close(w.done)
			}
		}
		held = append(again, held...)
	}
}

// gathering is a group in the making.
type gathering[J groupable] struct {
	alike       func(a, b J) bool
	most        int // of the group
	group, held []J
	keys        map[string]struct{}
}

// add puts job into the group, or holds it for a later one.
func (g *gathering[J]) add(job J) {
	w := job.base()
	_, taken := g.keys[w.key]
	_, too := g.keys[w.also]
	if len(g.group) >= g.most || taken || too && w.also != "" || len(g.group) > 0 && !g.alike(g.group[0], job) {
		g.held = append(g.held, job)
		return
	}
	if w.state.CompareAndSwap(waiting, begun) {
		g.group = append(g.group, job)
		g.keys[w.key], g.keys[w.also] = struct{}{}, struct{}{}
	}
}
