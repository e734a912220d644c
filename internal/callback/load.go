package callback

import "time"

// Bounds of what is under way at once.
const (
	perConfig       = 8   // requests to one configuration (callback events §8)
	perFailing      = 2   // requests to one whose last posts all failed
	failingFrom     = 5   // failures in a row that make a configuration failing
	defaultInFlight = 512 // requests in all; more wait in the database
	forget          = time.Hour
)

// load is what the pusher has under way and what it knows of endpoints. One
// goroutine owns it.
type load struct {
	slots   int
	held    map[string]struct{} // ids of posts claimed and not yet recorded
	configs map[string]*endpoint
}

// endpoint is how a configuration's URL has been doing.
type endpoint struct {
	inFlight int
	failures int // in a row
	used     time.Time
}

func (e *endpoint) failing() bool { return e.failures >= failingFrom }

func newLoad(slots int) *load {
	return &load{slots: slots, held: map[string]struct{}{}, configs: map[string]*endpoint{}}
}

// free is how many more posts may be claimed.
func (l *load) free() int { return l.slots - len(l.held) }

// begin notes a claimed post; false if it is held already: its lease ended
// while its outcome could not be written.
func (l *load) begin(p Post, now time.Time) bool {
	if _, held := l.held[p.ID]; held {
		return false
	}
	l.held[p.ID] = struct{}{}
	e := l.configs[p.ConfigID]
	if e == nil {
		e = &endpoint{}
		l.configs[p.ConfigID] = e
	}
	e.inFlight++
	e.used = now
	return true
}

// ended notes what an attempt came to.
func (l *load) ended(p Post, received bool, now time.Time) {
	e := l.configs[p.ConfigID]
	e.inFlight--
	e.used = now
	if received {
		e.failures = 0
	} else {
		e.failures++
	}
}

// recorded gives the outcomes' places back.
func (l *load) recorded(outcomes []Outcome) {
	for _, o := range outcomes {
		delete(l.held, o.ID)
	}
}

// narrow is the breaker: failing endpoints get fewer places, and half of all
// places at most, so that however many of them hang, others are served. It
// puts off no attempt that has a place. What is idle and healthy, or long
// unused, is forgotten.
func (l *load) narrow(now time.Time) map[string]int {
	var out map[string]int
	room := l.slots / 2
	for _, e := range l.configs {
		if e.failing() {
			room -= e.inFlight
		}
	}
	for id, e := range l.configs { // in random order: each gets its turn
		if e.inFlight == 0 && (e.failures == 0 || now.Sub(e.used) > forget) {
			delete(l.configs, id)
			continue
		}
		if !e.failing() {
			continue
		}
		if out == nil {
			out = map[string]int{}
		}
		more := max(0, min(perFailing-e.inFlight, room))
		room -= more
		out[id] = e.inFlight + more
	}
	return out
}
