package delivery_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// moody is a carrier a that takes messages while it is well, and else asks for another try.
func moody() (c *carrier, well *atomic.Bool) {
	well = &atomic.Bool{}
	c = &carrier{name: "a", answer: func(_ context.Context, m delivery.Message) delivery.Result {
		if well.Load() {
			return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
		}
		return delivery.Result{Class: delivery.Retry, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "busy", Text: "busy"}}
	}}
	return c, well
}

// circuitOf returns the circuit of the carrier a.
func circuitOf(t *testing.T, d *delivery.Dispatcher) delivery.CircuitState {
	t.Helper()
	for _, s := range d.Circuits() {
		if s.Carrier == "a" {
			return s
		}
	}
	t.Fatalf("no circuit of a among %+v", d.Circuits())
	return delivery.CircuitState{}
}

func TestACarrierThatFailsOverAndOverIsSkippedUntilAProbeIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, well := moody()
		b := accepting("b")
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {a, b}}))
		begun := time.Now()
		send := func(id string) {
			m.send(id, someone(t), 5*time.Minute, sms())
			d.Wake()
		}
		send("1") // tried at 0, .5, 1.5, 3.5 and 7.5 s
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := circuitOf(t, d); !s.Open || s.Operator || s.Why.Code != "busy" || s.Since.Sub(begun).Round(time.Second/10) != 7500*time.Millisecond {
			t.Errorf("circuit = %+v; want it open since 7.5 s", s)
		}
		if a.asked() != 5 || !slices.Equal(b.refs(), []string{"1/1"}) {
			t.Errorf("a was asked %d times, b got %v; want 5 times, then the message", a.asked(), b.refs())
		}

		send("2")
		synctest.Wait()
		if a.asked() != 5 || !slices.Equal(b.refs(), []string{"1/1", "2/1"}) {
			t.Errorf("a was asked %d times, b got %v; want the next message at b at once", a.asked(), b.refs())
		}

		time.Sleep(time.Minute) // a probe that fails keeps it open
		send("3")
		synctest.Wait()
		send("4")
		synctest.Wait()
		if s := circuitOf(t, d); a.asked() != 6 || !s.Open || !s.Probe.After(time.Now()) || !slices.Contains(b.refs(), "4/1") {
			t.Errorf("a was asked %d times, circuit %+v; want one probe", a.asked(), s)
		}

		well.Store(true)
		time.Sleep(time.Minute)
		send("5")
		synctest.Wait()
		send("6")
		synctest.Wait()
		if s := circuitOf(t, d); s.Open || s.Why.Code != "busy" || s.LastAt.IsZero() {
			t.Errorf("circuit = %+v; want it closed, the last failure remembered", s)
		}
		if got := a.refs(); !slices.Equal(got[len(got)-2:], []string{"5/1", "6/1"}) {
			t.Errorf("a got %v; want 5 and 6 in the end", got)
		}
		_ = stop()
	})
}

func TestACarrierWithoutAnAlternativeIsTriedThoughItFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, well := moody()
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {a}}))
		step := sms()
		step.Wait = 5 * time.Minute
		m.send("1", someone(t), 5*time.Minute, step)
		d.Wake()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if s := circuitOf(t, d); !s.Open || a.asked() < 7 {
			t.Errorf("circuit = %+v after %d tries; want it open, and tries to go on", s, a.asked())
		}
		well.Store(true)
		time.Sleep(11 * time.Second) // the longest pause between two tries
		synctest.Wait()
		if s := circuitOf(t, d); s.Open {
			t.Errorf("circuit = %+v; want it closed", s)
		}
		if got := m.told(); !slices.Equal(got, []string{"SMS DISPATCHED"}) {
			t.Errorf("events %v; want it dispatched", got)
		}
		_ = stop()
	})
}

func TestManyFailuresAtOnceOpenNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, well := moody()
		b := accepting("b")
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {a, b}}))
		for i := range 50 {
			m.send(strconv.Itoa(i), someone(t), 5*time.Minute, sms())
		}
		d.Wake()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		well.Store(true)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if s := circuitOf(t, d); s.Open || b.asked() != 0 {
			t.Errorf("circuit = %+v, b got %d; want all at a", s, b.asked())
		}
		_ = stop()
	})
}

func TestAReplacedCarrierBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := answering("a", delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}}, delivery.Result{Class: delivery.Accepted, Ref: "r"})
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {a}}))
		m.send("1", someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		if s := circuitOf(t, d); !s.Open || !s.Operator || s.Why.Code != "password" {
			t.Errorf("circuit = %+v; want the operator", s)
		}
		d.Renewed("a")
		m.send("2", someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		if s := circuitOf(t, d); s.Open || !slices.Equal(a.refs(), []string{"1/1", "2/1"}) {
			t.Errorf("circuit = %+v, a got %v; want it asked at once", s, a.refs())
		}
		_ = stop()
	})
}

func TestWhatAReplacedCarrierStillAnswersSaysNothingOfItsSuccessor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		late delivery.Result
	}{
		{"the operator must act", delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}}},
		{"taken", delivery.Result{Class: delivery.Accepted, Ref: "late"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				answered := make(chan struct{})
				a := &carrier{name: "a", answer: func(_ context.Context, m delivery.Message) delivery.Result {
					if m.OTPID == "1" {
						<-answered
						return c.late
					}
					return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
				}}
				m := newMemory()
				d, stop := run(t, config(m, routes{message.SMS: {a}}))
				m.send("1", someone(t), 5*time.Minute, sms())
				d.Wake()
				synctest.Wait()
				d.Renewed("a")
				if s := circuitOf(t, d); s.Busy != 1 {
					t.Errorf("circuit = %+v; want the submit under way counted", s)
				}
				close(answered)
				synctest.Wait()
				if known := d.Circuits(); len(known) != 0 {
					t.Errorf("circuits = %+v after the last answer of a carrier that is gone; want none", known)
				}
				m.send("2", someone(t), 5*time.Minute, sms())
				d.Wake()
				synctest.Wait()
				if s := circuitOf(t, d); s.Open || !slices.Contains(a.refs(), "2/1") {
					t.Errorf("circuit = %+v, a got %v; want it asked at once", s, a.refs())
				}
				_ = stop()
			})
		})
	}
}

func TestALateAnswerOfAReplacedCarrierLeavesWhatItsSuccessorTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan struct{})
		a := &carrier{name: "a", answer: func(_ context.Context, m delivery.Message) delivery.Result {
			if m.OTPID == "1" {
				<-answered
				return delivery.Result{Class: delivery.Accepted, Ref: "late"}
			}
			return delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}}
		}}
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {a}}))
		m.send("1", someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		d.Renewed("a")
		m.send("2", someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		close(answered)
		synctest.Wait()
		if s := circuitOf(t, d); !s.Open || !s.Operator || s.Why.Code != "password" || s.Busy != 0 {
			t.Errorf("circuit = %+v; want it open for the operator", s)
		}
		_ = stop()
	})
}

func TestADeliveryIsHandedOverForTheFirstTimeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := answering("a", delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}})
		b := accepting("b")
		m := newMemory()
		c := config(m, routes{message.SMS: {a, b}})
		seen := &latencies{}
		c.Observer = seen
		d, stop := run(t, c)
		m.send("1", someone(t), 5*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		if a.asked() != 1 || b.asked() != 1 || len(seen.all) != 1 {
			t.Errorf("a was asked %d times, b %d, handed over for the first time %d times; want 1 each", a.asked(), b.asked(), len(seen.all))
		}
		_ = stop()
	})
}

// spreading is a router that remembers what it was to spread by.
type spreading struct {
	routes

	mu sync.Mutex
	by []string
}

func (s *spreading) Route(c message.Channel, to phone.Recipient, spread string) []delivery.Carrier {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = append(s.by, spread)
	return s.routes.Route(c, to, spread)
}

func TestEveryTryOfADeliveryIsSpreadByItsReference(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, well := moody()
		m, r := newMemory(), &spreading{routes: routes{message.SMS: {a}}}
		d, stop := run(t, config(m, r))
		m.send("1", someone(t), 5*time.Minute, sms())
		d.Wake()
		time.Sleep(time.Second)
		well.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		r.mu.Lock()
		if !slices.Equal(r.by, []string{"1/1", "1/1", "1/1"}) {
			t.Errorf("spread by %v; want the delivery's reference at each of three tries", r.by)
		}
		r.mu.Unlock()
		_ = stop()
	})
}

// A carrier that was skipped is the last that is left where the others cannot
// take the message.
func TestASkippedCarrierIsAskedIfNoOtherIsLeft(t *testing.T) {
	t.Parallel()
	own := delivery.Result{Class: delivery.Config, Own: true, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "sender"}}
	late := delivery.Result{Class: delivery.Retry, After: time.Hour, Failure: delivery.Unreachable}
	for name, says := range map[string]delivery.Result{"its sender is refused": own, "no time is left for another try": late} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, well := moody()
				b := answering("b", says)
				m := newMemory()
				voice := voice()
				voice.Wait = 10 * time.Second
				d, stop := run(t, config(m, routes{message.Voice: {a}, message.SMS: {b, a}}))
				m.send("1", someone(t), 5*time.Minute, voice)
				d.Wake()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if s := circuitOf(t, d); !s.Open {
					t.Fatalf("circuit = %+v; want it open", s)
				}
				well.Store(true)
				m.send("2", someone(t), 5*time.Minute, sms())
				d.Wake()
				synctest.Wait()
				if got := a.refs(); b.asked() != 1 || got[len(got)-1] != "2/1" {
					t.Errorf("b was asked %d times, a at last for %s; want once, and then a for the same", b.asked(), got[len(got)-1])
				}
				if got := m.told(); got[len(got)-1] != "SMS DISPATCHED" {
					t.Errorf("events %v; want it dispatched", got)
				}
				_ = stop()
			})
		})
	}
}
