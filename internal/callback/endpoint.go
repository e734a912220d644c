package callback

import "time"

const (
	// perDoubtful is how many requests are made at a time to a configuration
	// that lags or has yet to show that it is quick. Each quick answer adds one,
	// so that after two rounds of answers a new one has all of perConfig.
	perDoubtful = 2
	// slowFrom is how long an answer may take. The places of a slow endpoint are
	// as good as gone: eight of 10 s serve less than one event a second.
	slowFrom    = time.Second
	failingFrom = 5 // failures in a row that make an endpoint lag
)

// standing is how far an endpoint is trusted to give its places back soon.
type standing int

// From the least to the best.
const (
	lagging  standing = iota // slow at its last answer or right now, or failing
	unproven                 // no answer yet that tells
	quick                    // what it received lately it answered soon
)

// endpoint is how a configuration's URL has been doing.
type endpoint struct {
	began    map[string]time.Time // attempts under way, by the ids of their posts
	streak   int                  // received and quick since it last lagged
	lags     bool
	failures int // in a row
	used     time.Time
}

// standing is that at a time. One that has not answered in time lags without
// waiting for the time-out.
func (e *endpoint) standing(now time.Time) standing {
	for _, at := range e.began {
		if now.Sub(at) > slowFrom {
			return lagging
		}
	}
	switch {
	case e.lags:
		return lagging
	case e.streak == 0:
		return unproven
	}
	return quick
}

// places is how many requests may be made to it at a time while it is quick.
func (e *endpoint) places() int { return min(perDoubtful+e.streak, perConfig) }

// answered notes what an attempt came to.
func (e *endpoint) answered(a answer) {
	if a.received() {
		e.failures = 0
	} else {
		e.failures++
	}
	switch {
	case a.latency > slowFrom, e.failures >= failingFrom:
		e.lags, e.streak = true, 0
	case a.received():
		e.lags = false
		e.streak = min(e.streak+1, perConfig)
	}
}
