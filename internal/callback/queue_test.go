// See town_test.go.

//go:build !race

package callback_test

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

// queue is a callback.Store in memory, for towns. It knows no leases' ends and
// each of its events is of another OTP; both are the stores' matter, which
// storetest checks.
type queue struct {
	mu           sync.Mutex
	rows         map[string]*row // guarded by mu, like all that follows
	added        int
	requests     map[string]int // by receiver
	now, most    map[string]int // requests at a time
	underWay     int
	mostUnderWay int
}

func newQueue() *queue {
	return &queue{rows: map[string]*row{}, requests: map[string]int{}, now: map[string]int{}, most: map[string]int{}}
}

func (q *queue) add(p callback.Post) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.added++
	p.ID = strconv.Itoa(q.added)
	// Apart, so that what was queued earlier is due earlier.
	q.rows[p.ID] = &row{Post: p, due: time.Now().Add(time.Duration(q.added) - time.Millisecond)}
}

func (q *queue) ClaimCallbacks(_ context.Context, c callback.Claim) ([]callback.Post, time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var due []*row
	var next time.Time
	leased := map[string]int{}
	for _, r := range q.rows {
		switch {
		case r.leased:
			leased[r.ConfigID]++
		case !r.due.After(time.Now()):
			due = append(due, r)
		case next.IsZero() || r.due.Before(next):
			next = r.due
		}
	}
	var posts []callback.Post
	for _, r := range byTurn(due, c.Limit, func(id string) int {
		places, ok := c.Places[id]
		if !ok {
			places = c.PerConfig
		}
		return places - leased[id]
	}) {
		r.leased = true
		posts = append(posts, r.Post)
		q.underWay++
	}
	q.mostUnderWay = max(q.mostUnderWay, q.underWay)
	return posts, next, nil
}

func (q *queue) RecordPosts(_ context.Context, outcomes []callback.Outcome) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range outcomes {
		q.underWay--
		r := q.rows[o.ID]
		if o.Received || o.RetryAt.IsZero() {
			delete(q.rows, o.ID)
			continue
		}
		r.leased, r.due = false, o.RetryAt
		r.Attempts++
	}
	return nil
}

func (q *queue) ReleaseCallbacks(context.Context, string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range q.rows {
		r.leased = false
	}
	q.underWay = 0
	return nil
}

// came notes a request of a post and returns which it is at its receiver.
func (q *queue) came(receiver, id string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r := q.rows[id]; r != nil {
		r.seen = true
	}
	q.requests[receiver]++
	q.now[receiver]++
	q.most[receiver] = max(q.most[receiver], q.now[receiver])
	return q.requests[receiver]
}

// went notes that a request was answered.
func (q *queue) went(receiver string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now[receiver]--
}

// unseen counts the receiver's events that never came to it.
func (q *queue) unseen(receiver string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, r := range q.rows {
		if r.ConfigID == receiver && !r.seen {
			n++
		}
	}
	return n
}

// tried counts receivers that had a request.
func (q *queue) tried(receivers []string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, name := range receivers {
		if q.requests[name] > 0 {
			n++
		}
	}
	return n
}

// posting is how many callbacks are leased.
func (q *queue) posting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.underWay
}

// mostPosting is the most that posting ever was.
func (q *queue) mostPosting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mostUnderWay
}

// mostAtATime is how many requests the receiver had at most at a time.
func (q *queue) mostAtATime(receiver string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.most[receiver]
}
