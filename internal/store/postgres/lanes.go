package postgres

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/verify"
)

// Bounds of group commits.
const (
	groupsAtOnce = 2    // group commits under way at a time, of sends and of checks each
	maxGroup     = 256  // callers' work in one commit: more only lengthens the wait of the first
	maxWaiting   = 4096 // work waiting for each kind's groups; more is refused at once (verify.ErrOverloaded)
	// slowTime is when a group is taken to wait for the disk, for a standby or
	// for a row, so that the next one begins beside it. A quick one is waited
	// for: what comes meanwhile shares one commit, which costs each of them less.
	slowTime = 20 * time.Millisecond
)

// Where a piece of work stands.
const (
	waiting int32 = iota
	begun
	abandoned // its caller left before it was begun
)

// work is what one caller waits for.
type work struct {
	key   string // no two under way share it
	also  string // what no two under way may share besides, "" for nothing
	state atomic.Int32
	err   error
	done  chan struct{}
}

func (w *work) base() *work { return w }

// groupable is work that group commits can carry.
type groupable interface{ base() *work }

// lanes commit work in groups: each group is all the work that waits, done in
// one round trip and one commit. None waits for more work to come, only for a
// quick one before it. Work that shares a key is never in two groups at once,
// so that they do not wait for each other's rows.
type lanes[J groupable] struct {
	queue chan J
	paced *pace
	alike func(a, b J) bool
	// flush does a group's work and sets each one's err. What it returns is to
	// be done in a later group.
	flush func(group []J) (again []J)

	mu     sync.RWMutex // guards closed against sends on the queue
	closed bool
	ended  sync.WaitGroup
}

func newLanes[J groupable](alike func(a, b J) bool, flush func([]J) []J) *lanes[J] {
	l := &lanes[J]{queue: make(chan J, maxWaiting), paced: newPace(), alike: alike, flush: flush}
	l.ended.Go(l.run)
	return l
}

// close ends the lanes after the work that waits.
func (l *lanes[J]) close() {
	l.mu.Lock()
	l.closed = true
	close(l.queue)
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
		return errClosing
	}
	if len(l.queue) >= l.paced.room(started()) {
		l.mu.RUnlock()
		return verify.ErrOverloaded
	}
	select {
	case l.queue <- job:
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

// over is a group that has ended.
type over[J groupable] struct {
	group, again []J
	begun        time.Time
}

// run begins groups and hears of their ends until the lanes are closed and
// nothing is left to do.
func (l *lanes[J]) run() {
	var (
		held    []J                     // for a later group, before what is in the queue
		groups  int                     // under way
		callers int                     // whose work they carry
		keys    = map[string]struct{}{} // of that work
		last    time.Time               // when the last group began
		ended   = make(chan over[J], groupsAtOnce)
		slow    = time.NewTimer(slowTime)
	)
	defer slow.Stop()
	for open := true; ; {
		may := groups == 0 || groups < groupsAtOnce && started().Sub(last) >= slowTime
		if may {
			g := gathering[J]{alike: l.alike, under: keys, keys: map[string]struct{}{}, most: l.paced.group(len(l.queue) + len(held) + callers)}
			open = g.fill(held, l.queue, open)
			held = g.held
			if len(g.group) > 0 {
				groups, callers, last = groups+1, callers+len(g.group), started()
				for key := range g.keys {
					keys[key] = struct{}{}
				}
				l.paced.begin(last)
				slow.Reset(slowTime)
				at := last
				l.ended.Go(func() { ended <- l.commit(g.group, at) })
				continue
			}
			if !open && len(held) == 0 && groups == 0 {
				return
			}
		}
		next := l.queue
		if !may || !open || len(held) >= maxGroup {
			next = nil // nothing could be done with it now
		}
		select {
		case job, ok := <-next:
			if open = ok; ok {
				held = append(held, job)
			}
		case <-slow.C:
		case o := <-ended:
			groups, callers = groups-1, callers-len(o.group)
			l.paced.end(o.begun, started(), len(o.group))
			for _, job := range o.group {
				delete(keys, job.base().key)
				delete(keys, job.base().also)
			}
			held = append(o.again, held...)
		}
	}
}

// commit does a group's work and wakes its callers.
func (l *lanes[J]) commit(group []J, begun time.Time) over[J] {
	again := l.flush(group)
	done := map[*work]bool{}
	for _, job := range again {
		done[job.base()] = true
		job.base().state.Store(waiting) // it was not reached: its caller may leave
	}
	for _, job := range group {
		if w := job.base(); !done[w] {
			close(w.done)
		}
	}
	return over[J]{group, again, begun}
}

// gathering is a group in the making.
type gathering[J groupable] struct {
	alike       func(a, b J) bool
	most        int // of the group
	group, held []J
	under, keys map[string]struct{} // of the groups under way; of this one
}

// fill takes what is held and then what waits in the queue, if it is open, and
// reports whether that is open still.
func (g *gathering[J]) fill(held []J, queue <-chan J, open bool) bool {
	for _, job := range held {
		g.add(job)
	}
	for open && len(g.group) < g.most && len(g.held) < maxGroup {
		select {
		case job, ok := <-queue:
			if open = ok; ok {
				g.add(job)
			}
		default:
			return true
		}
	}
	return open
}

// add puts job into the group, or holds it for a later one.
func (g *gathering[J]) add(job J) {
	w := job.base()
	if len(g.group) >= g.most || g.taken(w.key) || g.taken(w.also) || len(g.group) > 0 && !g.alike(g.group[0], job) {
		g.held = append(g.held, job)
		return
	}
	if w.state.CompareAndSwap(waiting, begun) {
		g.group = append(g.group, job)
		for _, key := range []string{w.key, w.also} {
			if key != "" {
				g.keys[key] = struct{}{}
			}
		}
	}
}

// taken reports whether a group has work with this key.
func (g *gathering[J]) taken(key string) bool {
	if key == "" {
		return false
	}
	_, here := g.keys[key]
	_, there := g.under[key]
	return here || there
}
