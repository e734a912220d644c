package delivery

import (
	"sync"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

const (
	// deferPause is how soon, at the earliest, a delivery is looked at again
	// whose carrier had no room. Those that follow get later times: as many as
	// the carrier has places in each deferPause, so that a long queue is not
	// claimed and put back over and over.
	deferPause = 250 * time.Millisecond
	// maxDefer bounds that: a carrier may be much faster than assumed.
	maxDefer = 10 * time.Second
)

// admission is what a carrier's lane says to a delivery.
type admission uint8

const (
	admitted admission = iota
	full               // all places are taken
	closed             // the operator must act first
	failing            // its circuit is open as it failed over and over
)

// reach says which carriers are asked.
type reach bool

const (
	onlyWorking reach = false // not those that are failing
	evenFailing reach = true  // those too, as there is no other
)

// carriers knows what this node has going on at each carrier.
type carriers struct {
	places int // submits at a time, each
	jitter func(time.Duration) time.Duration

	mu    sync.Mutex // guards what follows
	known map[string]*lane
}

// lane is one carrier's.
type lane struct {
	busy    int
	deferTo time.Time // when the delivery that was put back last comes again
	circuit *circuit
	// blank: nothing was learned since the carrier came or was renewed. A lane that
	// is blank and that nobody uses is forgotten.
	blank bool
}

// entry is a place at a carrier, or why there is none.
type entry struct {
	admission

	at      time.Time   // with full, when to come again
	trouble otp.Failure // with closed and failing
	circuit *circuit    // with admitted, what the answer tells of
}

// lane returns the carrier's lane. The caller holds mu.
func (c *carriers) lane(name string) *lane {
	l := c.known[name]
	if l == nil {
		l = &lane{circuit: &circuit{}, blank: true}
		c.known[name] = l
	}
	return l
}

// enter takes a place at the carrier.
func (c *carriers) enter(name string, now time.Time, ask reach) entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lane(name)
	resting := l.circuit.resting(now)
	switch {
	case resting && l.circuit.operator:
		return entry{admission: closed, trouble: l.circuit.why}
	case resting && ask == onlyWorking:
		return entry{admission: failing, trouble: l.circuit.why}
	case l.busy >= c.places:
		step := deferPause / time.Duration(c.places)
		l.deferTo = l.deferTo.Add(step)
		if earliest := now.Add(deferPause); l.deferTo.Before(earliest) {
			l.deferTo = earliest
		} else if latest := now.Add(maxDefer); l.deferTo.After(latest) {
			l.deferTo = latest
		}
		return entry{admission: full, at: l.deferTo}
	case l.circuit.open && !resting:
		l.circuit.probeAt = c.nextProbe(now) // this one probes
	}
	l.busy++
	return entry{admission: admitted, circuit: l.circuit}
}

// leave gives the place back and learns from the answer to account's message,
// unless the carrier that gave it has been replaced or removed meanwhile.
func (c *carriers) leave(name string, of entry, account string, r Result, now time.Time) turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lane(name)
	current := l.circuit == of.circuit
	if current && r.Class != Deferred {
		l.blank = false
	}
	c.giveBack(name)
	if !current {
		return unturned
	}
	return of.circuit.learn(r, account, now, c.nextProbe)
}

// back gives a place back that was not used.
func (c *carriers) back(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.giveBack(name)
}

// giveBack gives a place back. The caller holds mu.
func (c *carriers) giveBack(name string) {
	l := c.lane(name)
	if l.busy--; l.busy == 0 && l.blank {
		delete(c.known, name)
	}
}

// renew forgets what was learned of the carrier. Who has a place keeps it.
func (c *carriers) renew(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.known[name]
	if l == nil {
		return
	}
	l.circuit, l.deferTo, l.blank = &circuit{}, time.Time{}, true
	if l.busy == 0 {
		delete(c.known, name)
	}
}

func (c *carriers) nextProbe(now time.Time) time.Time {
	return now.Add(circuitPause + c.jitter(circuitPause))
}
