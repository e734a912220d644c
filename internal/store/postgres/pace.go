package postgres

import (
	"sync"
	"time"
)

// Bounds that keep what is accepted quick when the database is slow (D-08).
const (
	groupTime   = 150 * time.Millisecond // a group is made smaller where it takes longer …
	leastGroup  = 32                     // … down to this
	leastRoom   = 2 * leastGroup         // a few dozen callers are never refused, however slow everything is
	waitTime    = 200 * time.Millisecond // about what may wait before a group that is under way
	stalledTime = 500 * time.Millisecond // after it nobody knows when a group will end
)

// pace is how much a lane takes: groups shrink when they take long and grow
// again when full ones are quick, and what waits is bounded by time as well as
// by number.
type pace struct {
	mu    sync.Mutex // guards what follows
	size  int        // of a group, at most
	took  time.Duration
	begun time.Time // of the group under way; zero for none
}

func newPace() *pace { return &pace{size: maxGroup} }

// group is how many callers' work the next group may carry.
func (p *pace) group() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// room is how much work may wait now.
func (p *pace) room(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun.IsZero() && now.Sub(p.begun) > stalledTime {
		return max(p.size, leastRoom)
	}
	groups := maxWaiting / maxGroup
	if p.took > 0 {
		groups = min(groups, int(waitTime/p.took))
	}
	return max(groups*p.size, p.size, leastRoom)
}

func (p *pace) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = now
}

// end notes how long a group of n callers' work took.
func (p *pace) end(now time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took, p.begun = now.Sub(p.begun), time.Time{}
	switch {
	case p.took > groupTime && n > leastGroup: // a small group was slow for another reason
		p.size = max(leastGroup, min(p.size, int(float64(n)*float64(groupTime)/float64(p.took))))
	case p.took < groupTime/2 && n >= p.size:
		p.size = min(2*p.size, maxGroup)
	}
}
