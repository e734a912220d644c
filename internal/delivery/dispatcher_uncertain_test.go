package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/storetest"
)

var (
	lost      = delivery.Result{Class: delivery.Uncertain, Failure: refused, Ref: "r1"}
	forbidden = delivery.Result{Class: delivery.Config, Failure: refused}
)

// forgetful answers as it is told and recognises a repetition.
func forgetful(name string, results ...delivery.Result) *carrier {
	c := answering(name, results...)
	c.dedupes = true
	return c
}

func TestWhatACarrierMayHaveTakenGoesToNoOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		results []delivery.Result
		asked   int // how often; 0 for as long as the step waits, until last at least
		last    time.Duration
	}{
		"uncertain for ever":                         {results: []delivery.Result{lost}, last: 40 * time.Second},
		"uncertain, then the operator must act":      {results: []delivery.Result{lost, forbidden}, asked: 2},
		"uncertain, then a long pause is asked for":  {results: []delivery.Result{lost, retry(61 * time.Second)}, asked: 2},
		"uncertain, then temporary errors for ever":  {results: []delivery.Result{lost, retry(0)}, last: 40 * time.Second},
		"a temporary error, then uncertain for ever": {results: []delivery.Result{retry(0), lost}, last: 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				m := newMemory()
				a, b := forgetful("a", c.results...), accepting("b")
				events := outcomes(t, m, time.Minute, a, b)
				if diff := cmp.Diff([]string{"SMS DISPATCHED"}, events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if n := b.asked(); n != 0 {
					t.Errorf("the next carrier was asked %d times, want 0", n)
				}
				times := a.times(start)
				if last := times[len(times)-1]; c.asked != 0 && len(times) != c.asked || last < c.last || last >= time.Minute {
					t.Errorf("the first was asked at %v, want %d times, or from the start until nearly a minute later", times, c.asked)
				}
				if r := m.rows[0]; r.Carrier != "a" || r.Ref != "r1" {
					t.Errorf("the delivery is %q at %q, want r1 at a", r.Ref, r.Carrier)
				}
			})
		})
	}
}

func TestWhatACarrierMayHaveTakenGoesToNoOtherThoughTheCarrierIsClosedOrGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		after func(r routes, a, b *carrier)
	}{
		{"closed", func(r routes, a, _ *carrier) { r[message.Viber] = []delivery.Carrier{a} }},
		{"gone", func(r routes, _, b *carrier) { r[message.SMS] = []delivery.Carrier{b} }},
		{"gone, and the route with it", func(r routes, _, _ *carrier) { delete(r, message.SMS) }},
		{"replaced by one that recognises no repetition", func(r routes, _, b *carrier) { r[message.SMS] = []delivery.Carrier{accepting("a"), b} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				a, b := forgetful("a", lost, forbidden), accepting("b")
				r := routes{message.SMS: {a, b}}
				// Another process had the first answer.
				d := delivery.NewDispatcher(config(m, r))
				m.send("o1", someone(t), 5*time.Minute, sms(), voice())
				if _, err := d.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.after(r, a, b)
				d = delivery.NewDispatcher(config(m, r))
				if r[message.Viber] != nil {
					viber := sms()
					viber.Channel = message.Viber
					m.send("o2", someone(t), 5*time.Minute, viber) // its answer closes the carrier
					if _, err := d.Step(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Second)
				if _, err := d.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := m.rows[0]; got.State != delivery.Dispatched || got.Carrier != "a" || got.Ref != "r1" {
					t.Errorf("the delivery is %v at %q as %q, want DISPATCHED at a as r1", got.State, got.Carrier, got.Ref)
				}
				if n := b.asked(); n != 0 {
					t.Errorf("the other carrier was asked %d times, want 0", n)
				}
			})
		})
	}
}

func TestWhatACarrierMayHaveTakenCountsAsDispatchedThoughItsCodeCannotBeOpened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		runs time.Duration // of the node that cannot open it
	}{
		"for another root key": {fmt.Errorf("open: %w", delivery.ErrKeyUnknown), 4 * time.Minute},
		"as it is damaged":     {errors.New("damaged"), 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				a, pbx := forgetful("a", lost), accepting("pbx")
				cfg := config(m, routes{message.SMS: {a}, message.Voice: {pbx}})
				m.send("o1", someone(t), 5*time.Minute, sms(), voice())
				if _, err := delivery.NewDispatcher(cfg).Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				// Another process has it from now on.
				cfg.Open = func(string, string, []byte) (otp.Code, error) { return otp.Code{}, c.err }
				_, stop := run(t, cfg)
				defer stop() //nolint:errcheck // what it reports is not the test's
				time.Sleep(c.runs)
				told := m.told()
				if len(told) == 0 || told[0] != "SMS DISPATCHED" {
					t.Errorf("events are %q, want SMS DISPATCHED first", told)
				}
				if r := m.rows[0]; r.Carrier != "a" || r.Ref != "r1" {
					t.Errorf("the delivery is %q at %q, want r1 at a", r.Ref, r.Carrier)
				}
				if n := a.asked(); n != 1 {
					t.Errorf("the carrier was asked %d times, want once", n)
				}
			})
		})
	}
}

// toldOf is a route of some carriers for everything.
type toldOf []delivery.Carrier

func (r toldOf) Route(message.Channel, phone.Recipient, string) []delivery.Carrier { return r }

func TestWhatACarrierMayHaveTakenIsKnownToAnotherNodeAndItsReceiptCounts(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	a, b := &carrier{name: "a", dedupes: true}, accepting("b")
	a.answer = func(_ context.Context, m delivery.Message) delivery.Result {
		if a.asked() > 1 {
			return forbidden
		}
		return delivery.Result{Class: delivery.Uncertain, Failure: refused, Ref: m.Dedupe}
	}
	node := func(name string) {
		cfg := s.config()
		cfg.Node, cfg.Router = name, toldOf{a, b}
		s.dispatcher = delivery.NewDispatcher(cfg)
	}
	node("n1")
	ref := s.send("1111", message.SMS, message.Voice)
	s.want("events after the lost answer", s.step(ref))
	wall.Add(31 * time.Second) // the first carrier's share of the wait is over
	node("n2")
	s.want("events after the refusal", s.step(ref), "SMS DISPATCHED")
	if a.asked() != 2 || b.asked() != 0 {
		t.Errorf("the carriers were asked %d and %d times, want 2 and 0", a.asked(), b.asked())
	}
	known, err := s.dispatcher.Receive(t.Context(), delivery.Receipt{Carrier: "a", Ref: a.refs()[0], State: delivery.ReceiptDelivered})
	if !known || err != nil {
		t.Errorf("Receive = %v, %v; want true", known, err)
	}
	s.want("events after the receipt", s.events(ref), "SMS DISPATCHED", "SMS DELIVERED")
}

func TestWhatACarrierSaysWithARetryIsToldToItsNextTryByAnyNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		retry := func(taken string) delivery.Result {
			return delivery.Result{Class: delivery.Retry, After: time.Second, Taken: taken, Failure: delivery.Unreachable}
		}
		a := answering("a", retry("part 1"), retry("parts 1, 2"), delivery.Result{Class: delivery.Config, Failure: delivery.Unreachable})
		b := answering("b", retry(""), delivery.Result{Class: delivery.Accepted, Ref: "r1"})
		route := routes{message.SMS: {a, b}}
		m.send("o1", someone(t), 3*time.Minute, sms())
		for node := range 4 {
			cfg := config(m, route)
			cfg.Node = strconv.Itoa(node)
			_, stop := run(t, cfg)
			synctest.Wait()
			_ = stop()
			time.Sleep(time.Second)
		}
		var got []string
		for _, c := range []*carrier{a, b} {
			for _, msg := range c.messages() {
				got = append(got, c.name+" "+msg.Taken)
			}
		}
		if diff := cmp.Diff([]string{"a ", "a part 1", "a parts 1, 2", "b ", "b "}, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
