package delivery_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// machine drives one delivery through answers, receipts and time, in any
// order, as stores do.
type machine struct {
	d                  delivery.Delivery
	step               delivery.Step
	now, expires       time.Time
	settled, reported  bool
	dispatched, finals int
	timeouts, started  int
	again              int // second calls
	done               bool
}

// state is the OTP's.
func (m *machine) state() otp.State {
	switch {
	case m.settled:
		return otp.Verified
	case m.now.Before(m.expires):
		return otp.Active
	}
	return otp.Expired
}

// apply writes a change and counts what it does.
func (m *machine) apply(t *rapid.T, c delivery.Change) {
	before := m.d.State
	late := before == delivery.TimedOut && (c.Delivery.State == delivery.Delivered || c.Delivery.State == delivery.Undeliverable)
	if again := before == delivery.Dispatched && c.Delivery.State == delivery.Queued; again {
		if m.again++; c.Event != nil || c.StartNext || c.Done || m.state().Final() || c.Delivery.Due.Before(m.now.Add(20*time.Second)) || !c.Delivery.Due.Before(m.d.Due) {
			t.Fatalf("called again with %+v", c)
		}
	} else if !late && (c.Delivery.State < before || before.Final() && c.Delivery.State != before) {
		t.Fatalf("moved from %v to %v", before, c.Delivery.State)
	}
	m.d = c.Delivery
	if c.Event != nil {
		switch c.Event.Kind {
		case otp.EventDispatched:
			m.dispatched++
		case otp.EventDelivered, otp.EventUndeliverable:
			m.finals++
		case otp.EventTimedOut:
			m.timeouts++
			if m.settled {
				t.Fatal("a time-out was reported for an OTP that a check had ended")
			}
		case otp.EventVerified, otp.EventWrongCode, otp.EventTooManyAttempts, otp.EventExpired:
			t.Fatalf("a delivery reported %v", c.Event.Kind)
		}
		if (c.Event.Failure != nil) != (c.Event.Kind == otp.EventUndeliverable) {
			t.Fatalf("%v with failure %v", c.Event.Kind, c.Event.Failure)
		}
	}
	if c.StartNext {
		m.started++
		if m.state().Final() || c.Delivery.Next < 0 {
			t.Fatal("a next step was started where none may be")
		}
	}
	if c.Extend.After(m.expires) {
		m.expires = c.Extend
	}
	if m.done && c.Delivery.State == delivery.Queued && !c.Delivery.Due.IsZero() {
		t.Fatal("to be handed over without its code")
	}
	m.done = m.done || c.Done
}

// taken applies that a receipt tells of a message whose answer was lost.
func (m *machine) taken(t *rapid.T) {
	c, ok := m.d.ProvenTaken(m.step, m.state(), m.expires, m.now)
	if !ok {
		return
	}
	if m.apply(t, c); m.d.State != delivery.Dispatched {
		t.Fatalf("a receipt of a message whose answer was lost made it %v", m.d.State)
	}
}

func TestADeliveryOnlyMovesForward(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{
			now: noon, expires: noon.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "life")) * time.Second),
			step: delivery.Step{
				Channel: message.SMS, Wait: time.Duration(rapid.IntRange(1, 120).Draw(t, "wait")) * time.Second,
				Life: time.Duration(rapid.IntRange(0, 300).Draw(t, "text life")) * time.Second,
			},
		}
		m.d = at(delivery.Queued)
		m.d.Next, m.d.Seq = rapid.IntRange(-1, 1).Draw(t, "next"), rapid.IntRange(1, 2).Draw(t, "seq")
		t.Repeat(map[string]func(*rapid.T){
			"answer": func(t *rapid.T) {
				o := delivery.SubmitOutcome{Key: m.d.Key, Carrier: "c1", Result: delivery.Result{
					Class: delivery.Class(rapid.IntRange(1, 6).Draw(t, "class")), Ref: "r1", Failure: refused,
					NoReceipt: rapid.Bool().Draw(t, "no receipt"), MayBeBusy: rapid.Bool().Draw(t, "may be busy"),
				}}
				if wait := rapid.IntRange(0, 60).Draw(t, "retry"); wait > 0 {
					o.RetryAt = m.now.Add(time.Duration(wait) * time.Second)
				}
				if c, ok := m.d.Submitted(o, m.step, m.state(), m.expires, m.now); ok {
					m.apply(t, c)
				}
			},
			"receipt": func(t *rapid.T) {
				r := delivery.Receipt{Carrier: "c1", Ref: "r1", State: delivery.ReceiptState(rapid.IntRange(1, 3).Draw(t, "says")), Failure: refused}
				m.taken(t)
				if c, ok := m.d.Received(r, m.state(), m.reported); ok {
					m.reported = m.reported || r.State != delivery.ReceiptTimedOut
					m.apply(t, c)
				}
			},
			"busy": func(t *rapid.T) {
				r := delivery.Receipt{Carrier: "c1", Ref: "r1", State: delivery.ReceiptUndeliverable, Failure: refused, Busy: true}
				m.taken(t)
				c, ok := m.d.CallAgain(r, m.state(), !m.done, m.now)
				if !ok {
					if c, ok = m.d.Received(r, m.state(), m.reported); !ok {
						return
					}
					m.reported = true
				}
				m.apply(t, c)
			},
			"time over": func(t *rapid.T) {
				if c, ok := m.d.TimeOver(m.state(), m.expires); ok {
					m.apply(t, c)
				}
			},
			"wait over": func(t *rapid.T) {
				if c, ok := m.d.WaitOver(m.state(), m.now); ok {
					m.apply(t, c)
				}
			},
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
			},
			"verify": func(*rapid.T) {
				m.settled = m.settled || m.now.Before(m.expires)
			},
			"": func(t *rapid.T) {
				if m.dispatched > 1 || m.finals > 1 || m.timeouts > 1 || m.started > 1 || m.again > 1 {
					t.Fatalf("%d DISPATCHED, %d DELIVERED or UNDELIVERABLE, %d TIMED_OUT, %d next steps, %d second calls; want at most one each",
						m.dispatched, m.finals, m.timeouts, m.started, m.again)
				}
				if m.d.State.Final() && (!m.d.Due.IsZero() || !m.done) {
					t.Fatalf("%v with something due at %v, done %v", m.d.State, m.d.Due, m.done)
				}
				if m.dispatched == 0 && m.d.State == delivery.Delivered {
					t.Fatal("delivered without having been dispatched")
				}
			},
		})
	})
}
