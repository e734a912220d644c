package callback

import "time"

const (
	// perUnproven is how many requests are made at a time to a configuration
	// that has yet to show that it is quick: with one, as many new ones as there
	// are places can do so at once.
	perUnproven = 1
	// perDoubtful is how many are made to one that lags. Those that are quick
	// have it as well, and one more for each quick answer.
	perDoubtful = 2
	// slowFrom is how long an answer may take, body included. The places of a
	// slow endpoint are as good as gone: eight of 10 s serve less than one event
	// a second.
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
//
// For example, a new one has one request at a time, for it is unproven. Its
// first answer, 200 after 40 ms, makes the streak 1: it is quick, with 3 at a
// time. When these are answered likewise the streak is 4, and it has 6, then 8.
// An answer after 1.2 s, or none for that long, makes it lag: 2 at a time, and
// the streak begins anew. So do 5 answers of 500 one after the other, however
// soon they come; fewer change nothing. The next 200 within a second makes it
// quick again, with 3.
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

// idle is how long nothing has been under way.
func (e *endpoint) idle(now time.Time) time.Duration {
	if len(e.began) > 0 {
		return 0
	}
	return now.Sub(e.used)
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
	case a.took > slowFrom, e.failures >= failingFrom:
		e.lags, e.streak = true, 0
	case a.received():
		e.lags = false
		e.streak = min(e.streak+1, perConfig)
	}
}
