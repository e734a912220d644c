package callback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// pollEvery is the longest sleep: other processes' events are found by
	// looking.
	pollEvery = time.Second
	// pollLeast keeps clocks that disagree from making a busy loop.
	pollLeast = 5 * time.Millisecond
	// What a claim that failed waits for, doubled by each that fails after it.
	failurePause = 100 * time.Millisecond
	maxPause     = 5 * time.Second
	// leaseSlack is what a lease has beyond the attempt's time-out: for the
	// commits before and after it.
	leaseSlack = 10 * time.Second
	// drainWrites is how long the last outcomes may take to be written.
	drainWrites = 4 * time.Second
)

var errDrain = errors.New("draining took too long")

// attempt is a post and what became of it.
type attempt struct {
	post   Post
	answer answer
}

// Run posts what is due until ctx ends. Then it claims nothing more, lets
// attempts under way finish within their time-out, writes their outcomes,
// gives up its leases and returns nil, all its goroutines ended. Troubles of
// the store are logged and waited out.
func (p *Pusher) Run(ctx context.Context) error {
	defer p.client.transport.CloseIdleConnections()
	work := context.WithoutCancel(ctx)
	if err := p.store.ReleaseCallbacks(ctx, p.node); err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "cannot take up callbacks left by an earlier run", slog.Any("err", err))
	}
	// As large as what may be under way: an attempt that ended never waits.
	ended := make(chan attempt, p.load.slots)
	var running sync.WaitGroup
	var unwritten []Outcome
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	failures := 0
	for ctx.Err() == nil {
		posts, next, err := p.claim(ctx)
		pause, wake := p.sleep(next), p.wake
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() == nil:
			p.log.ErrorContext(ctx, "cannot claim callbacks", slog.Any("err", err))
			// Commits go on waking us: not faster against a sick database.
			pause, wake = min(failurePause<<min(failures, 6), maxPause), nil
			failures++
		}
		for _, post := range posts {
			running.Go(func() { ended <- attempt{post, p.client.post(work, post)} })
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		case a := <-ended:
			unwritten = append(unwritten, p.judge(ctx, a))
		}
		unwritten = p.gather(ctx, ended, unwritten)
		unwritten = p.record(work, unwritten)
	}
	running.Wait()
	last, cancel := context.WithTimeoutCause(work, drainWrites, errDrain)
	defer cancel()
	p.record(last, p.gather(ctx, ended, unwritten))
	if err := p.store.ReleaseCallbacks(last, p.node); err != nil {
		p.log.WarnContext(last, "cannot release callbacks", slog.Any("err", err))
	}
	return nil
}

// Step posts what is due now, and what becomes due for its first attempt by
// that, records the outcomes and returns how many attempts it made. It is for
// callers that keep the time themselves; never call it beside Run or itself.
func (p *Pusher) Step(ctx context.Context) (int, error) {
	n := 0
	for {
		posts, _, failed := p.claim(ctx)
		if len(posts) == 0 {
			return n, failed
		}
		ended := make(chan attempt, len(posts))
		for _, post := range posts {
			go func() { ended <- attempt{post, p.client.post(ctx, post)} }()
		}
		outcomes := make([]Outcome, 0, len(posts))
		for range posts {
			outcomes = append(outcomes, p.judge(ctx, <-ended))
		}
		n += len(posts)
		if left := p.record(ctx, outcomes); len(left) > 0 {
			p.load.recorded(left) // their leases end
			return n, errors.New("outcomes of callbacks could not be written")
		}
		if failed != nil {
			return n, failed
		}
	}
}

// claim leases what is due and there is room for, with one claim as long as
// there is room for all: one that gets less than it may is the last. Otherwise
// the next leaves out the endpoints whose bound is reached, and the fourth
// fills the last quarter when the third has gone up to it. After an error, what
// was leased before it is returned beside it.
//
// For example, 100 of 512 places are held by endpoints that lag, 20 by unproven
// and 200 by quick ones, and much is due for all. 64 places are free before the
// last quarter. The first claim is for all and gets 28, as those that lag may
// have 128. The second leaves these out and gets the other 36. The third and
// fourth are for the quick alone and get the last quarter, 2 for each.
func (p *Pusher) claim(ctx context.Context) (posts []Post, next time.Time, _ error) {
	now := p.now()
	p.load.sweep(now)
	for _, least := range [...]standing{lagging, unproven, quick, quick} {
		c, room := p.load.ask(least, now)
		if !room {
			continue
		}
		c.Node, c.Lease = p.node, p.client.timeout+leaseSlack
		leased, at, err := p.store.ClaimCallbacks(ctx, c)
		if err != nil {
			return posts, next, fmt.Errorf("claim callbacks: %w", err)
		}
		for _, post := range leased {
			if p.load.begin(post, now) {
				posts = append(posts, post)
			}
		}
		if next.IsZero() || !at.IsZero() && at.Before(next) {
			next = at
		}
		if len(leased) < c.Limit {
			break
		}
	}
	return posts, next, nil
}

// sleep is how long nothing is due.
func (p *Pusher) sleep(next time.Time) time.Duration {
	if next.IsZero() {
		return pollEvery
	}
	return min(max(next.Sub(p.now()), pollLeast), pollEvery)
}

// gather adds the outcomes of attempts that have ended meanwhile.
func (p *Pusher) gather(ctx context.Context, ended <-chan attempt, outcomes []Outcome) []Outcome {
	for {
		select {
		case a := <-ended:
			outcomes = append(outcomes, p.judge(ctx, a))
		default:
			return outcomes
		}
	}
}

// judge decides what follows from an attempt.
func (p *Pusher) judge(ctx context.Context, a attempt) Outcome {
	now := p.now()
	o := Outcome{
		ID: a.post.ID, ConfigID: a.post.ConfigID, Received: a.answer.received(),
		Status: a.answer.status, Latency: a.answer.latency, Problem: a.answer.problem,
	}
	p.load.ended(a.post, a.answer, now)
	if o.Received {
		return o
	}
	attrs := []slog.Attr{
		slog.String("config_id", a.post.ConfigID), slog.Int("status", o.Status), slog.String("problem", o.Problem),
	}
	if wait, more := waitAfter(a.post.Attempts + 1); more {
		spread, err := jitter(wait, p.random)
		if err != nil {
			spread = wait
		}
		o.RetryAt = now.Add(max(spread, a.answer.retryAfter))
		p.log.LogAttrs(ctx, slog.LevelDebug, "callback not received", attrs...)
	} else {
		p.log.LogAttrs(ctx, slog.LevelWarn, "callback became a dead letter", attrs...)
	}
	return o
}

// record writes outcomes and returns those that could not be written; they
// keep their places and are tried again.
func (p *Pusher) record(ctx context.Context, outcomes []Outcome) []Outcome {
	if len(outcomes) == 0 {
		return outcomes
	}
	if err := p.store.RecordPosts(ctx, outcomes); err != nil {
		p.log.ErrorContext(ctx, "cannot write outcomes of callbacks", slog.Any("err", err))
		return outcomes
	}
	p.load.recorded(outcomes)
	if p.observer != nil {
		for _, o := range outcomes {
			p.observer.Posted(result(o), o.Latency)
		}
	}
	return outcomes[:0]
}

func result(o Outcome) string {
	switch {
	case o.Received:
		return ResultReceived
	case o.RetryAt.IsZero():
		return ResultDead
	}
	return ResultRetry
}
