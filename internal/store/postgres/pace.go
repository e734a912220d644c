package postgres

import (
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/store/groupsize"
)

// Bounds that keep what is accepted quick when the database is slow (D-08).
const (
	groupTime   = 150 * time.Millisecond // a group is made smaller where it takes longer …
	leastGroup  = 32                     // … down to this
	leastRoom   = 4 * leastGroup         // so many callers are never refused here, however slow everything is
	waitTime    = 200 * time.Millisecond // about what may wait before a group that is under way
	stalledTime = 500 * time.Millisecond // after it nobody knows when a group will end
)

// pace is how much lanes take: groups shrink when they take long and grow
// again when full ones are quick, and what waits is bounded by time as well as
// by number.
type pace struct {
	mu    sync.Mutex // guards what follows
	size  groupsize.Size
	took  time.Duration
	begun []time.Time // of the groups under way, the oldest first
}

func newPace() *pace { return &pace{size: groupsize.New(leastGroup, maxGroup, groupTime)} }

// group is how many callers' work the next group may carry, where so many wait
// or are under way. Slow groups share them.
func (p *pace) group(all int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.took < slowTime {
		return p.size.Max()
	}
	return max(1, min(p.size.Max(), (all+groupsAtOnce-1)/groupsAtOnce))
}

// room is how much work may wait now.
func (p *pace) room(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.begun) > 0 && now.Sub(p.begun[0]) > stalledTime {
		return max(p.size.Max(), leastRoom)
	}
	groups := maxWaiting / maxGroup / groupsAtOnce
	if p.took > 0 {
		groups = min(groups, int(waitTime/p.took))
	}
	return max(groupsAtOnce*groups*p.size.Max(), p.size.Max(), leastRoom)
}

func (p *pace) begin(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = append(p.begun, now)
}

// end notes how long a group of n callers' work took that began then.
func (p *pace) end(begun, now time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = now.Sub(begun)
	if i := slices.Index(p.begun, begun); i >= 0 {
		p.begun = slices.Delete(p.begun, i, i+1)
	}
	p.size.Took(n, p.took)
}
