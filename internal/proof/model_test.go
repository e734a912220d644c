package proof_test

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
)

// The model says what one recipient of one account may see: any number of OTPs
// and the limits they share, one call after the other. It knows nothing of how
// the store does it.
//
// No call is told the time; it knows only that the store's clock went from lo
// to hi meanwhile. Where the edge of an expiry lies between the two, both
// outcomes are right.

// cells bounds how many OTPs a recipient is sent in one history.
const cells = 16

// cell is an OTP in the model. The zero cell is none.
type cell struct {
	exists   bool
	state    otp.State // Active though its time may be over
	endSeen  bool
	attempts int
	sent     int
	// It expires somewhere from expLo to expHi, in microseconds.
	expLo, expHi int64
}

// world is a state of the model. It is compared with ==.
type world struct {
	otps     [cells]cell
	sends    int
	failures int
}

// operation is what a call does.
type operation uint8

const (
	opSend operation = iota
	opResend
	opCheck
	opGet
	opDelete
)

// input is a call of the service.
type input struct {
	recipient int // partitions the history
	op        operation
	cell      int
	right     bool  // with opCheck: the code is the right one
	lo, hi    int64 // what the store's clock showed before and after
}

// outcome is how a call ended.
type outcome uint8

const (
	done outcome = iota
	notFound
	ended
	throttled
	unknown // it may have been done or not, now or later
)

// output is what a call returned.
type output struct {
	outcome  outcome
	verdict  otp.Verdict // of opCheck
	state    otp.State
	attempts int
	expires  int64 // of opSend
}

// terms are what every OTP of a history is sent with.
type terms struct {
	allowed int
	life    time.Duration
	rules   guard.Rules // the only windows are longer than a history
}

func (w world) with(i int, c cell) world {
	w.otps[i] = c
	return w
}

// model builds the porcupine model for OTPs sent on these terms.
func (m terms) model() porcupine.Model {
	nm := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[int][]porcupine.Operation{}
			for _, op := range history {
				r := op.Input.(input).recipient
				by[r] = append(by[r], op)
			}
			var parts [][]porcupine.Operation
			for _, part := range by {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{world{}} },
		Step: func(state, in, out any) []any {
			var next []any
			for _, w := range m.step(state.(world), in.(input), out.(output)) {
				next = append(next, w)
			}
			return next
		},
		DescribeOperation: func(in, out any) string {
			i, o := in.(input), out.(output)
			name := [...]string{"send", "resend", "check", "get", "delete"}[i.op]
			if i.op == opCheck {
				name += map[bool]string{true: " right", false: " wrong"}[i.right]
			}
			return fmt.Sprintf("%s #%d [%d,%d] → %d verdict %d %v/%d", name, i.cell, i.lo, i.hi, o.outcome, o.verdict, o.state, o.attempts)
		},
		DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
	}
	return nm.ToModel()
}

// step returns the worlds that w can become by a call that ended so; none if
// it cannot have.
func (m terms) step(w world, in input, out output) []world {
	c := w.otps[in.cell]
	switch in.op {
	case opSend:
		return m.send(w, in, out)
	case opResend:
		return m.resend(w, c, in, out)
	case opCheck:
		return m.check(w, c, in, out)
	case opGet:
		if out.outcome == notFound {
			return only(!c.exists, w)
		}
		return only(c.shows(in, out), w)
	case opDelete:
		gone := w.with(in.cell, cell{})
		switch out.outcome {
		case unknown:
			return []world{w, gone}
		case notFound:
			return only(!c.exists, w)
		case done:
			return only(c.shows(in, out), gone)
		case ended, throttled:
		}
	}
	return nil
}

func only(legal bool, w world) []world {
	if !legal {
		return nil
	}
	return []world{w}
}

// shows reports whether out can be what a reader saw of c.
func (c cell) shows(in input, out output) bool {
	if !c.exists || out.outcome != done || out.attempts != c.attempts {
		return false
	}
	if c.state.Final() {
		return out.state == c.state
	}
	return out.state == otp.Active && c.mayBeOpen(in) || out.state == otp.Expired && c.mayBeOver(in)
}

func (c cell) mayBeOpen(in input) bool { return c.state == otp.Active && in.lo < c.expHi }
func (c cell) mayBeOver(in input) bool {
	return c.state == otp.Expired || c.state == otp.Active && in.hi >= c.expLo
}

func (m terms) sendsLeft(w world) bool {
	for _, window := range m.rules.Sends {
		if w.sends >= window.Max {
			return false
		}
	}
	return true
}

func (m terms) guessesLeft(w world) bool {
	for _, window := range m.rules.Failures {
		if w.failures >= window.Max {
			return false
		}
	}
	return true
}

func (m terms) send(w world, in input, out output) []world {
	sent := w.with(in.cell, cell{
		exists: true, state: otp.Active, sent: 1,
		// A creation is told in whole milliseconds.
		expLo: in.lo/1000*1000 + m.life.Microseconds(), expHi: in.hi + m.life.Microseconds(),
	})
	sent.sends++
	switch out.outcome {
	case unknown:
		if m.sendsLeft(w) {
			return []world{w, sent}
		}
		return []world{w}
	case throttled:
		return only(!m.sendsLeft(w), w)
	case done:
		c := sent.otps[in.cell]
		legal := m.sendsLeft(w) && out.state == otp.Active && out.attempts == 0 && out.expires >= c.expLo && out.expires <= c.expHi
		c.expLo, c.expHi = out.expires, out.expires
		return only(legal, sent.with(in.cell, c))
	case notFound, ended:
	}
	return nil
}

func (m terms) resend(w world, c cell, in input, out output) []world {
	again := w
	again.sends++
	again.otps[in.cell].sent++
	room := m.sendsLeft(w) && (m.rules.SendsPerOTP == 0 || c.sent < m.rules.SendsPerOTP)
	switch out.outcome {
	case unknown:
		if c.exists && c.mayBeOpen(in) && room {
			return []world{w, again}
		}
		return []world{w}
	case notFound:
		return only(!c.exists, w)
	case ended:
		return only(c.exists && (c.state.Final() || c.mayBeOver(in)), w)
	case throttled:
		return only(c.exists && c.mayBeOpen(in) && !room, w)
	case done:
		return only(c.exists && c.mayBeOpen(in) && room && out.attempts == c.attempts && out.state == otp.Active, again)
	}
	return nil
}

// check is what the rules make of a guess, and what they must have told.
func (m terms) check(w world, c cell, in input, out output) []world {
	switch out.outcome {
	case notFound:
		return only(!c.exists, w)
	case throttled:
		return only(c.exists && c.mayBeOpen(in) && !m.guessesLeft(w), w)
	case ended:
		return nil
	case done, unknown:
	}
	var next []world
	if out.outcome == unknown {
		next = append(next, w)
	}
	add := func(after cell, after2 world, v otp.Verdict) {
		told := out.verdict == v && out.state == after.state && out.attempts == after.attempts
		if out.outcome == unknown || told {
			next = append(next, after2.with(in.cell, after))
		}
	}
	if !c.exists {
		return next
	}
	if c.mayBeOpen(in) && m.guessesLeft(w) {
		after, w2, v := c, w, otp.Wrong
		after.attempts++
		switch {
		case in.right:
			after.state, after.endSeen, v = otp.Verified, true, otp.Right
			w2.failures = 0
		case after.attempts >= m.allowed:
			after.state, after.endSeen, v = otp.TooManyAttempts, true, otp.Spent
			w2.failures++
		default:
			w2.failures++
		}
		add(after, w2, v)
	}
	if c.state.Final() || c.mayBeOver(in) {
		after, v := c, otp.Closed
		if c.state == otp.Active {
			after.state = otp.Expired
		}
		if after.state == otp.Expired && !c.endSeen {
			v = otp.Late
		}
		after.endSeen = true
		add(after, w, v)
	}
	return next
}
