package smpp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The back-off when a message centre throttles (0x58, 0x14): half the rate, a
// pause, then one part a second more for each five seconds without.
const (
	throttlePause = time.Second
	growEvery     = 5 * time.Second
	growBy        = 1
	leastRate     = 1
)

// errPaced says that a submit's turn would come too late.
var errPaced = errors.New("no turn in time")

// throttle paces the parts of one bind. It is used by many goroutines at once.
type throttle struct {
	now     func() time.Time
	most    rate.Limit // what is configured; rate.Inf for no limit
	limiter *rate.Limiter

	mu      sync.Mutex // guards what follows
	slowed  bool
	resume  time.Time // nothing is sent before
	grown   time.Time // since when the present rate has been clean
	ceiling rate.Limit
	// second and sent count the parts of the current second, before those of
	// the last one, to know a rate where none is configured.
	second       time.Time
	sent, before int
}

// newThrottle returns one for perSecond parts, 0 for no limit.
func newThrottle(perSecond float64, now func() time.Time) *throttle {
	most := rate.Limit(perSecond)
	if perSecond == 0 {
		most = rate.Inf
	}
	return &throttle{now: now, most: most, limiter: rate.NewLimiter(most, burstOf(most))}
}

// burstOf is a tenth of a second, so that no second has many more than allowed.
func burstOf(l rate.Limit) int {
	if l == rate.Inf {
		return 1
	}
	return max(int(l/10), 1)
}

// take waits for one part's turn, until ctx ends. It returns errPaced at once
// if that would be sooner.
func (t *throttle) take(ctx context.Context) error {
	for {
		pause := t.grow()
		if pause <= 0 {
			break
		}
		if deadline, ok := ctx.Deadline(); ok && t.now().Add(pause).After(deadline) {
			return errPaced
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("wait for a turn: %w", context.Cause(ctx))
		}
	}
	if err := t.limiter.Wait(ctx); err != nil {
		if ctx.Err() == nil {
			return errPaced
		}
		return fmt.Errorf("wait for a turn: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count(t.now())
	t.sent++
	return nil
}

// count moves on to the current second.
func (t *throttle) count(now time.Time) {
	switch age := now.Sub(t.second); {
	case age < time.Second:
		return
	case age < 2*time.Second:
		t.before = t.sent
	default:
		t.before = 0
	}
	t.second, t.sent = now, 0
}

// grow raises the rate by what clean time has earned, and returns how long
// nothing may be sent.
func (t *throttle) grow() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.slowed {
		return 0
	}
	now := t.now()
	for now.Sub(t.grown) >= growEvery {
		t.grown = t.grown.Add(growEvery)
		limit := t.limiter.Limit() + growBy
		if limit >= t.ceiling {
			t.slowed = false
			t.set(t.most)
			return 0
		}
		t.set(limit)
	}
	return t.resume.Sub(now)
}

// throttled learns that the message centre wants less. Answers to what was sent
// before the pause began count once.
func (t *throttle) throttled() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.slowed && now.Before(t.resume) {
		return
	}
	current := t.limiter.Limit()
	if current == rate.Inf {
		t.count(now)
		current = rate.Limit(max(t.sent, t.before, 2*leastRate))
	}
	if !t.slowed {
		t.ceiling = min(t.most, 2*current)
	}
	t.slowed, t.resume, t.grown = true, now.Add(throttlePause), now.Add(throttlePause)
	t.set(max(current/2, leastRate))
}

func (t *throttle) set(l rate.Limit) {
	t.limiter.SetLimit(l)
	t.limiter.SetBurst(burstOf(l))
}

// pause returns how long nothing is sent, at least wait.
func (t *throttle) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.resume.Sub(t.now()), throttlePause)
}

// String returns the present rate in parts a second, "" for no limit.
func (t *throttle) String() string {
	l := t.limiter.Limit()
	if l == rate.Inf {
		return ""
	}
	return strconv.FormatFloat(float64(l), 'f', -1, 64)
}
