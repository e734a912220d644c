package delivery

import (
	"sync"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

const (
	// A carrier that answered Config is left alone for circuitPause and up to
	// as much again; then one delivery probes it.
	circuitPause = 30 * time.Second
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
	// While troubled, the carrier takes nothing until probeAt, and then one
	// delivery at a time to find out.
	troubled bool
	probeAt  time.Time
	trouble  otp.Failure
}

// enter takes a place at the carrier. With full, at is when to come again;
// with closed, trouble says why.
func (c *carriers) enter(name string, now time.Time) (a admission, at time.Time, trouble otp.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.known[name]
	if l == nil {
		l = &lane{}
		c.known[name] = l
	}
	switch {
	case l.troubled && now.Before(l.probeAt):
		return closed, time.Time{}, l.trouble
	case l.busy >= c.places:
		step := deferPause / time.Duration(c.places)
		l.deferTo = l.deferTo.Add(step)
		if earliest := now.Add(deferPause); l.deferTo.Before(earliest) {
			l.deferTo = earliest
		} else if latest := now.Add(maxDefer); l.deferTo.After(latest) {
			l.deferTo = latest
		}
		return full, l.deferTo, otp.Failure{}
	case l.troubled:
		l.probeAt = c.nextProbe(now) // this one probes
	}
	l.busy++
	return admitted, time.Time{}, otp.Failure{}
}

// leave gives the place back and learns from the answer. alarm says that the
// carrier was in order before.
func (c *carriers) leave(name string, r Result, now time.Time) (alarm bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.known[name]
	l.busy--
	switch r.Class {
	case Config:
		alarm = !l.troubled
		l.troubled, l.trouble, l.probeAt = true, r.Failure, c.nextProbe(now)
	case Accepted, Permanent:
		l.troubled = false
	case Retry, Uncertain, Deferred:
		// They say nothing about what the operator had to do.
	}
	return alarm
}

// back gives a place back that was not used.
func (c *carriers) back(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[name].busy--
}

func (c *carriers) nextProbe(now time.Time) time.Time {
	return now.Add(circuitPause + c.jitter(circuitPause))
}
