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
	circuit circuit
}

// lane returns the carrier's lane. The caller holds mu.
func (c *carriers) lane(name string) *lane {
	l := c.known[name]
	if l == nil {
		l = &lane{}
		c.known[name] = l
	}
	return l
}

// enter takes a place at the carrier. With full, at is when to come again;
// with closed, trouble says why. A carrier that is failing is entered all the
// same if force says that there is no other.
func (c *carriers) enter(name string, now time.Time, ask reach) (a admission, at time.Time, trouble otp.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lane(name)
	resting := l.circuit.resting(now)
	switch {
	case resting && l.circuit.operator:
		return closed, time.Time{}, l.circuit.why
	case resting && ask == onlyWorking:
		return failing, time.Time{}, l.circuit.why
	case l.busy >= c.places:
		step := deferPause / time.Duration(c.places)
		l.deferTo = l.deferTo.Add(step)
		if earliest := now.Add(deferPause); l.deferTo.Before(earliest) {
			l.deferTo = earliest
		} else if latest := now.Add(maxDefer); l.deferTo.After(latest) {
			l.deferTo = latest
		}
		return full, l.deferTo, otp.Failure{}
	case l.circuit.open && !resting:
		l.circuit.probeAt = c.nextProbe(now) // this one probes
	}
	l.busy++
	return admitted, time.Time{}, otp.Failure{}
}

// leave gives the place back and learns from the answer to account's message.
func (c *carriers) leave(name, account string, r Result, now time.Time) turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lane(name)
	l.busy--
	return l.circuit.learn(r, account, now, c.nextProbe)
}

// back gives a place back that was not used.
func (c *carriers) back(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lane(name).busy--
}

func (c *carriers) nextProbe(now time.Time) time.Time {
	return now.Add(circuitPause + c.jitter(circuitPause))
}

// reach says which carriers are asked.
type reach bool

const (
	onlyWorking reach = false // not those that are failing
	evenFailing reach = true  // those too, as there is no other
)
