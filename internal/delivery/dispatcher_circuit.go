package delivery

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

const (
	// A carrier whose circuit opened is left alone for circuitPause and up to as
	// much again; then one delivery probes it.
	circuitPause = 30 * time.Second
	// The circuit opens after failureRun failures that nothing else came between,
	// if the last is at least failureSpan after the first: a bind that is lost
	// and back a second later fails many deliveries at once and is no reason.
	failureRun  = 5
	failureSpan = 5 * time.Second
	// It also opens, as if by failures, when messages of this many accounts met
	// Config for what they brought along, and none was taken in between: then the
	// carrier, or what the server asks for in everybody's name, is to blame.
	objectionRun = 2
	// An account's first such message in this time is told to the operator.
	objectionPause = 10 * time.Minute
)

// CircuitState is how a carrier does, as this node's dispatcher sees it.
type CircuitState struct {
	Carrier string
	// Open: the next deliveries go to other carriers of their route, if there are
	// any, until a probe is taken.
	Open bool
	// Operator: the operator must act first, so that nothing is handed to the
	// carrier at all but probes.
	Operator bool
	Since    time.Time // when it opened; zero if it is not open
	Probe    time.Time // when it is probed next; zero if it is not open
	// Why is the last failure that says something about the carrier, LastAt its
	// time; zero if there was none.
	Why    otp.Failure
	LastAt time.Time
	Busy   int // submits under way
}

// Circuits returns how every carrier does that something was handed to, by
// name.
func (d *Dispatcher) Circuits() []CircuitState {
	c := &d.carriers
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]CircuitState, 0, len(c.known))
	for name, l := range c.known {
		s := CircuitState{Carrier: name, Open: l.circuit.open, Operator: l.circuit.operator, Why: l.circuit.why, LastAt: l.circuit.lastAt, Busy: l.busy}
		if s.Open {
			s.Since, s.Probe = l.circuit.since, l.circuit.probeAt
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b CircuitState) int { return strings.Compare(a.Carrier, b.Carrier) })
	return out
}

// Renewed says that the carrier of this name was replaced, or is gone: what was
// learned of the one before is forgotten, and what it still answers is not
// learned.
func (d *Dispatcher) Renewed(carrier string) { d.carriers.renew(carrier) }

// circuit is what a carrier's answers told. carriers.mu guards it.
type circuit struct {
	open     bool
	operator bool // it opened as the operator must act
	since    time.Time
	probeAt  time.Time
	why      otp.Failure
	lastAt   time.Time

	run   int // failures since the carrier worked
	first time.Time
	// told is when the operator was last told that the carrier refuses what an
	// account asks for; objected are those accounts since the carrier last worked.
	told     map[string]time.Time
	objected map[string]struct{}
}

// resting reports whether nothing is to be handed over.
func (c *circuit) resting(now time.Time) bool { return c.open && now.Before(c.probeAt) }

// turn is what an answer changed.
type turn uint8

const (
	unturned turn = iota
	opened        // by failures
	alarmed       // the operator must act
	objected      // the operator must act for one account
	mended        // it works again
)

// learn takes an answer to account's message.
func (c *circuit) learn(r Result, account string, now time.Time, probe func(time.Time) time.Time) turn {
	switch r.Class {
	case Config:
		if r.Own {
			return c.objection(r, account, now, probe)
		}
		was := c.open && c.operator
		if !c.open {
			c.since = now
		}
		c.open, c.operator, c.probeAt = true, true, probe(now)
		c.why, c.lastAt = r.Failure, now
		if !was {
			return alarmed
		}
	case Accepted, Permanent:
		if r.Own {
			return unturned // nobody asked the carrier
		}
		was := c.open
		*c = circuit{why: c.why, lastAt: c.lastAt, told: c.told}
		if was {
			return mended
		}
	case Retry, Uncertain:
		if c.run++; c.run == 1 {
			c.first = now
		}
		if c.operator {
			return unturned // it says nothing about what the operator had to do
		}
		c.why, c.lastAt = r.Failure, now
		if !c.open && c.run >= failureRun && now.Sub(c.first) >= failureSpan {
			c.open, c.since, c.probeAt = true, now, probe(now)
			return opened
		}
	case Deferred:
	}
	return unturned
}

// objection takes a Config for what account's message brought along. It closes
// the carrier to nobody: at most routes skip it where they have another one, as
// what two accounts ask for must not keep a third one's codes from it (D-14).
func (c *circuit) objection(r Result, account string, now time.Time, probe func(time.Time) time.Time) turn {
	if c.objected == nil {
		c.objected = map[string]struct{}{}
	}
	if len(c.objected) < objectionRun {
		c.objected[account] = struct{}{}
	}
	if !c.operator {
		c.why, c.lastAt = r.Failure, now
	}
	if !c.open && len(c.objected) >= objectionRun {
		c.open, c.since, c.probeAt = true, now, probe(now)
		return opened
	}
	if at, ok := c.told[account]; ok && now.Sub(at) < objectionPause {
		return unturned
	}
	maps.DeleteFunc(c.told, func(_ string, at time.Time) bool { return now.Sub(at) >= objectionPause })
	if c.told == nil {
		c.told = map[string]time.Time{}
	}
	c.told[account] = now
	return objected
}
