// Package admission decides when a request arrives whether the database will
// come to it soon (D-08). It stands in front of every store: it counts the
// sends and checks that a store has under way and how long they take, and from
// both how long one more would wait. What would wait too long is refused
// before anything is spent on it, so that what is accepted stays quick however
// much is asked for. It also refuses what repeats a request that is under way.
package admission

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/verify"
)

// Work is what a request asks of the database.
type Work uint8

// The kinds of work.
const (
	Other Work = iota // never refused here
	Send
	Check
)

// String is the work's name in metrics.
func (w Work) String() string {
	switch w {
	case Send:
		return "send"
	case Check:
		return "check"
	case Other:
	}
	return "other"
}

// Bounds of what is under way. Sends are refused long before checks are: where
// both wait for the same processors and disk, people can still type their
// codes.
const (
	sendWait  = 150 * time.Millisecond // what sends may take on average
	checkWait = 300 * time.Millisecond
	leastSend = 64 // so many are never refused, however slow everything is
	// leastCheck is more than a burst of guesses at a few OTPs, which wait for
	// each other.
	leastCheck  = 512
	mostAtOnce  = 4096                   // what memory is given to, however quick everything is
	stalledTime = 500 * time.Millisecond // nothing has ended for so long: nobody knows when anything will
	// forgetTime is how long what was measured holds.
	forgetTime = 10 * time.Second
	// busy is how much must be under way for its times to tell anything: groups
	// cost little more when they are larger.
	busy   = 16
	weight = 1. / 64 // of one measurement in the means
)

// Gate refuses work that would wait too long. It is safe for concurrent use.
type Gate struct {
	now     func() time.Time
	refused func(Work)
	sends   queue
	checks  queue
	firsts  firsts
}

// New returns a gate that has measured nothing and lets thousands pass. now is
// time.Now in production; refused is told of each refusal.
func New(now func() time.Time, refused func(Work)) *Gate {
	return &Gate{
		now: now, refused: refused,
		sends:  queue{wait: sendWait, least: leastSend},
		checks: queue{wait: checkWait, least: leastCheck},
	}
}

// Room returns verify.ErrOverloaded where work that arrives now would wait too
// long. It does not block.
func (g *Gate) Room(w Work) error {
	q := g.queue(w)
	if q == nil || q.room(g.now()) {
		return nil
	}
	g.refused(w)
	return verify.ErrOverloaded
}

func (g *Gate) queue(w Work) *queue {
	switch w {
	case Send:
		return &g.sends
	case Check:
		return &g.checks
	case Other:
	}
	return nil
}

// Store returns s with its sends, resends and checks measured, and refused
// where they came between others that arrived together. What repeats a request
// that is still under way is refused too.
func (g *Gate) Store(s verify.Store) verify.Store { return store{s, g} }

type store struct {
	verify.Store

	gate *Gate
}

// CreateOTP measures a send.
func (s store) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	return through(ctx, s.gate, Send, n.Idempotency, func() (verify.Record, error) { return s.Store.CreateOTP(ctx, n) })
}

// AddDelivery measures a resend.
func (s store) AddDelivery(ctx context.Context, n verify.NewDelivery) (verify.Record, error) {
	return through(ctx, s.gate, Send, n.Idempotency, func() (verify.Record, error) { return s.Store.AddDelivery(ctx, n) })
}

// CountAttempt measures a check.
func (s store) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	return through(ctx, s.gate, Check, a.Idempotency, func() (verify.Checked, error) { return s.Store.CountAttempt(ctx, a) })
}

// DeleteOTP refuses a deletion that repeats one under way.
func (s store) DeleteOTP(ctx context.Context, ref verify.Ref, i verify.Idempotency) (verify.Record, error) {
	return first(s.gate, i, func() (verify.Record, error) { return s.Store.DeleteOTP(ctx, ref, i) })
}

// Answered refuses to look for the answer to a request that is under way. Of those
// who look for one at once, all but the first are refused: each may wait in the
// database.
func (s store) Answered(ctx context.Context, account string, i verify.Idempotency) (verify.Checked, error) {
	return first(s.gate, i, func() (verify.Checked, error) { return s.Store.Answered(ctx, account, i) })
}

// first does what repeats nothing that is under way.
func first[T any](g *Gate, i verify.Idempotency, do func() (T, error)) (result T, err error) {
	end, err := g.firsts.begin(i)
	if err != nil {
		return result, err
	}
	defer end()
	return do()
}

// through does work if there is room for it and it repeats nothing that is under way.
func through[T any](ctx context.Context, g *Gate, w Work, i verify.Idempotency, do func() (T, error)) (T, error) {
	return first(g, i, func() (T, error) { return measured(ctx, g, w, do) })
}

// measured does work if there is room for it.
func measured[T any](ctx context.Context, g *Gate, w Work, do func() (T, error)) (result T, err error) {
	q, begun := g.queue(w), g.now()
	ahead, ok := q.enter(begun)
	if !ok {
		g.refused(w)
		return result, verify.ErrOverloaded
	}
	end := broken
	defer func() {
		if end == broken && ctx.Err() != nil {
			end = left
		}
		q.leave(begun, g.now(), ahead, end)
	}()
	result, err = do()
	if _, limited := errors.AsType[*verify.LimitError](err); err == nil || limited {
		end = done
	}
	return result, err
}

// ending is how work ended.
type ending uint8

const (
	broken ending = iota // refused or failed: that tells nothing of how long work takes
	left                 // its caller went away of its own: the database has not moved
	done                 // the database did it
)

// queue is the work of one kind that is under way.
type queue struct {
	wait  time.Duration // what it may take on average
	least int           // what is never refused

	mu       sync.Mutex // guards what follows
	underWay int
	moved    time.Time // when the database last ended work, or work began where there was none
	// Means of how many were under way when one more came, itself among them,
	// and of the seconds that it took: their ratio is what ends in a second
	// (Little's law). Both 0 where nothing is known.
	met, took float64
	learnt    time.Time // when they last were
}

// knows reports whether the means tell of now.
func (q *queue) knows(now time.Time) bool { return q.took > 0 && now.Sub(q.learnt) <= forgetTime }

// most is how much may be under way now.
func (q *queue) most(now time.Time) int {
	switch {
	case now.Sub(q.moved) > stalledTime:
		return q.least
	case !q.knows(now):
		return mostAtOnce
	}
	return max(q.least, int(min(q.wait.Seconds()*q.met/q.took, mostAtOnce)))
}

// room reports whether one more may come.
func (q *queue) room(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.underWay < q.most(now)
}

// enter begins work if there is room and returns how much is under way with it.
func (q *queue) enter(now time.Time) (with int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.underWay == 0 {
		q.moved = now
	}
	if q.underWay >= q.most(now) {
		return 0, false
	}
	q.underWay++
	return q.underWay, true
}

// leave ends work that entered with so many under way.
func (q *queue) leave(begun, now time.Time, with int, end ending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay--
	if end != left {
		q.moved = now
	}
	if end != done || with < busy {
		return
	}
	share := weight
	if !q.knows(now) {
		share = 1
	}
	q.met += share * (float64(with) - q.met)
	q.took += share * (now.Sub(begun).Seconds() - q.took)
	q.learnt = now
}
