package delivery_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func retry(after time.Duration) delivery.Result {
	return delivery.Result{Class: delivery.Retry, After: after, Failure: refused}
}

// outcomes sends one OTP of two steps through carriers for SMS, a willing one
// for VOICE behind them, lets time pass and returns what was told.
func outcomes(t *testing.T, m *memory, pass time.Duration, carriers ...delivery.Carrier) []string {
	t.Helper()
	m.send("o1", someone(t), 5*time.Minute, sms(), voice()) // before anybody looks, so that nobody looks too early
	_, stop := run(t, config(m, routes{message.SMS: carriers, message.Voice: {accepting("pbx")}}))
	time.Sleep(pass)
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	return m.told()
}

func TestASendReachesTheCarrierAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := accepting("c1")
		m := newMemory()
		d, stop := run(t, config(m, routes{message.SMS: {c}}))
		time.Sleep(time.Minute) // idle
		start := time.Now()
		m.send("o1", someone(t), 3*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0}, c.times(start)); diff != "" {
			t.Errorf("submits after Wake (-want +got):\n%s", diff)
		}
		got := c.messages()[0]
		if got.Code.Reveal() != "483920" || got.Text() != "code 483920" || got.Try != 1 || got.Dedupe != "o1/1" || got.Recipient != someone(t) {
			t.Errorf("message = %+v with text %q", got, got.Text())
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTheWorkOfOtherNodesIsFoundByPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := accepting("c1")
		m := newMemory()
		_, stop := run(t, config(m, routes{message.SMS: {c}}))
		time.Sleep(time.Minute + time.Millisecond)
		start := time.Now()
		m.send("o1", someone(t), 3*time.Minute, sms())
		time.Sleep(time.Second)
		if got := c.times(start); len(got) != 1 || got[0] > 200*time.Millisecond {
			t.Errorf("submits after %v, want one within 200ms", got)
		}
		if n := m.count("claim"); n > 320 {
			t.Errorf("%d claims in a minute without work, want about 300", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTemporaryErrorsBackOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		results []delivery.Result
		times   []time.Duration
		events  []string
	}{
		{
			name: "two, then accepted", results: []delivery.Result{retry(0), retry(0), {Class: delivery.Accepted, Ref: "r1"}},
			times:  []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond},
			events: []string{"SMS DISPATCHED"},
		},
		{
			name: "as long as the carrier asks", results: []delivery.Result{retry(7 * time.Second), {Class: delivery.Accepted, Ref: "r1"}},
			times:  []time.Duration{0, 7 * time.Second},
			events: []string{"SMS DISPATCHED"},
		},
		{
			name: "longer than the step may wait", results: []delivery.Result{retry(61 * time.Second)},
			times:  []time.Duration{0},
			events: []string{"SMS UNDELIVERABLE internal::503", "VOICE DISPATCHED"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				a := answering("c1", c.results...)
				events := outcomes(t, newMemory(), 20*time.Second, a)
				got := a.times(start)
				for i := range got {
					got[i] = got[i].Round(10 * time.Millisecond)
				}
				if diff := cmp.Diff(c.times, got); diff != "" {
					t.Errorf("submits (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.events, events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRetriesNeverPassTheStepsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		first, second := answering("c1", retry(0)), answering("c2", retry(0))
		events := outcomes(t, newMemory(), 2*time.Minute, first, second)
		if diff := cmp.Diff([]string{"SMS UNDELIVERABLE internal::503", "VOICE DISPATCHED"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		for i, end := range []time.Duration{30 * time.Second, time.Minute} {
			times := [][]time.Duration{first.times(start), second.times(start)}[i]
			if len(times) < 2 || times[len(times)-1] >= end {
				t.Errorf("carrier %d was tried at %v, want several times before %v", i+1, times, end)
			}
			for j := 1; j < len(times); j++ {
				if pause := times[j] - times[j-1]; pause > 10*time.Second+time.Second {
					t.Errorf("carrier %d: pause of %v between tries, want at most 10s", i+1, pause)
				}
			}
		}
	})
}

func TestRetriesNeverPassTheOTPsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := answering("c1", retry(0))
		_, stop := run(t, config(m, routes{message.SMS: {c}}))
		start := time.Now()
		m.send("o1", someone(t), 5*time.Second, sms())
		time.Sleep(time.Minute)
		times := c.times(start)
		if len(times) < 3 || times[len(times)-1] >= 5*time.Second {
			t.Errorf("tried at %v, want several times before 5s", times)
		}
		if diff := cmp.Diff([]string{"SMS UNDELIVERABLE internal::503"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAPermanentErrorGoesToTheNextStepAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second := accepting("c2")
		events := outcomes(t, newMemory(), time.Second, answering("c1", delivery.Result{Class: delivery.Permanent, Failure: refused}), second)
		if diff := cmp.Diff([]string{"SMS UNDELIVERABLE carrier::3", "VOICE DISPATCHED"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := len(second.refs()); n != 0 {
			t.Errorf("the next carrier of the route got %d messages, want 0", n)
		}
	})
}

func TestACarrierThatNeedsTheOperatorIsSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		unpaid := answering("c1", delivery.Result{Class: delivery.Config, Failure: refused}, delivery.Result{Class: delivery.Config, Failure: refused},
			delivery.Result{Class: delivery.Accepted, Ref: "r1"})
		spare := accepting("c2")
		d, stop := run(t, config(m, routes{message.SMS: {unpaid, spare}, message.Viber: {unpaid}}))
		start := time.Now()
		send := func(id string, s delivery.Step) {
			m.send(id, someone(t), 10*time.Minute, s)
			d.Wake()
			synctest.Wait()
		}
		send("o1", sms()) // c1 answers, c2 takes it
		send("o2", sms()) // c1 is skipped
		viber := sms()
		viber.Channel = message.Viber
		send("o3", viber) // nobody but c1
		time.Sleep(59 * time.Second)
		send("o4", sms()) // the first probe is due after 60 s with this jitter
		time.Sleep(time.Second)
		send("o5", sms()) // probes, still broken
		time.Sleep(60 * time.Second)
		send("o6", sms()) // probes, works again
		send("o7", sms())
		if diff := cmp.Diff([]string{"o1/1", "o5/1", "o6/1", "o7/1"}, unpaid.refs()); diff != "" {
			t.Errorf("c1 was asked (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"o1/1", "o2/1", "o4/1", "o5/1"}, spare.refs()); diff != "" {
			t.Errorf("c2 was asked (-want +got):\n%s", diff)
		}
		if times := spare.times(start); times[0] != 0 {
			t.Errorf("c2 was asked after %v, want at once", times[0])
		}
		if events := m.told(); events[2] != "VIBER UNDELIVERABLE carrier::3" {
			t.Errorf("without another carrier: %q, want the carrier's own failure", events[2])
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAnUncertainSubmitIsRepeatedOnlyWhereThatIsRecognised(t *testing.T) {
	t.Parallel()
	uncertain := delivery.Result{Class: delivery.Uncertain, Failure: refused}
	for _, c := range []struct {
		name    string
		dedupes bool
		refs    []string
	}{
		{"no", false, []string{"o1/1"}},
		{"yes", true, []string{"o1/1", "o1/1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := answering("c1", uncertain, delivery.Result{Class: delivery.Accepted, Ref: "r1"})
				a.dedupes = c.dedupes
				other := accepting("c2")
				events := outcomes(t, newMemory(), 10*time.Second, a, other)
				if diff := cmp.Diff([]string{"SMS DISPATCHED"}, events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.refs, a.refs()); diff != "" {
					t.Errorf("submits (-want +got):\n%s", diff)
				}
				if n := len(other.refs()); n != 0 {
					t.Errorf("another carrier got %d messages, want 0", n)
				}
			})
		})
	}
}

func TestWithoutARouteNobodyIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := accepting("c1")
		_, stop := run(t, config(m, routes{message.SMS: {c}}))
		impossible := sms()
		impossible.Unroutable = true
		m.send("o1", someone(t), time.Minute, impossible, voice())
		time.Sleep(time.Second)
		if diff := cmp.Diff([]string{"SMS UNDELIVERABLE routing::404", "VOICE UNDELIVERABLE routing::404"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := len(c.refs()); n != 0 {
			t.Errorf("the carrier got %d messages, want 0", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAPanicInACarrierIsATemporaryError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &carrier{name: "c1"}
		c.answer = func(_ context.Context, m delivery.Message) delivery.Result {
			if m.Try == 1 {
				panic("text " + m.Text())
			}
			return delivery.Result{Class: delivery.Accepted, Ref: "r1"}
		}
		events := outcomes(t, newMemory(), 10*time.Second, c)
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := len(c.refs()); n != 2 {
			t.Errorf("%d submits, want 2", n)
		}
	})
}

func TestAnImmediateReceiptIsRecordedWithTheSubmit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		failed := answering("c1", delivery.Result{
			Class: delivery.Accepted, Ref: "r1", Receipt: &delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: refused},
		})
		events := outcomes(t, m, time.Second, failed)
		if diff := cmp.Diff([]string{"SMS DISPATCHED", "SMS UNDELIVERABLE carrier::3", "VOICE DISPATCHED"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := m.count("record"); n != 2 {
			t.Errorf("%d transactions recorded two submits with one receipt, want 2", n)
		}
	})
}

func TestAnImmediateReceiptCountsThoughNoOtherWillCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		failed := delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "30006"}}
		c := answering("c1", delivery.Result{Class: delivery.Accepted, Ref: "r1", NoReceipt: true, Receipt: &failed})
		m.send("o1", someone(t), 3*time.Minute, sms(), voice())
		_, stop := run(t, config(m, routes{message.SMS: {c}, message.Voice: {accepting("c2")}}))
		synctest.Wait()
		if diff := cmp.Diff([]string{"SMS DISPATCHED", "SMS UNDELIVERABLE carrier::30006", "VOICE DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		_ = stop()
	})
}

func TestASenderOfTheDeliveryReplacesTheSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := accepting("c1")
		d := delivery.NewDispatcher(config(m, routes{message.SMS: {c}}))
		step := sms()
		step.Sender = "ACME"
		m.send("o1", someone(t), time.Minute, step)
		m.send("o2", someone(t), time.Minute, step)
		m.rows[1].Sender = "SHOP"
		if n, err := d.Step(t.Context()); n != 2 || err != nil {
			t.Errorf("Step = %d, %v; want 2", n, err)
		}
		if got := []string{c.messages()[0].Step.Sender, c.messages()[1].Step.Sender}; got[0] != "ACME" || got[1] != "SHOP" {
			t.Errorf("senders = %q, want ACME, SHOP", got)
		}
	})
}

func TestStepDoesEverythingThatIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		silent, pbx := accepting("c1"), answering("pbx", retry(0), delivery.Result{Class: delivery.Accepted, Ref: "r2", Receipt: &delivery.Receipt{State: delivery.ReceiptDelivered}})
		c := config(m, routes{message.SMS: {silent}, message.Voice: {pbx}})
		c.Jitter = func(time.Duration) time.Duration { return 0 } // not an endless loop
		d := delivery.NewDispatcher(c)
		m.send("o1", someone(t), 5*time.Minute, sms(), voice())
		for _, step := range []struct {
			pass   time.Duration
			worked int
			events []string
		}{
			{0, 1, []string{"SMS DISPATCHED"}},
			{time.Minute - 1, 0, []string{"SMS DISPATCHED"}},
			{1, 2, []string{"SMS DISPATCHED", "SMS TIMED_OUT"}}, // the wait, and the first call
			{time.Millisecond, 1, []string{"SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "VOICE DELIVERED"}},
			{time.Hour, 0, []string{"SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "VOICE DELIVERED"}},
		} {
			time.Sleep(step.pass)
			n, err := d.Step(t.Context())
			if err != nil || n != step.worked {
				t.Errorf("Step = %d, %v; want %d", n, err, step.worked)
			}
			if diff := cmp.Diff(step.events, m.told()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		}
	})
}

func TestACodeThatCannotBeOpenedIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := accepting("c1")
		cfg := config(m, routes{message.SMS: {c}})
		cfg.Open = func(string, string, []byte) (otp.Code, error) { return otp.Code{}, errDown }
		m.send("o1", someone(t), time.Minute, sms())
		if _, err := delivery.NewDispatcher(cfg).Step(t.Context()); err != nil {
			t.Errorf("Step = %v", err)
		}
		if diff := cmp.Diff([]string{"SMS UNDELIVERABLE internal::500"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := len(c.refs()); n != 0 {
			t.Errorf("%d submits, want 0", n)
		}
	})
}

func TestACarrierCountsTheLifeOfACodeByTheStoresClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 10 * time.Minute, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m, c := newMemory(), accepting("c1")
			cfg := config(m, routes{message.SMS: {c}})
			cfg.Wall = func() time.Time { return time.Now().Add(ahead) }
			m.send("o1", someone(t), 3*time.Minute, sms())
			if _, err := delivery.NewDispatcher(cfg).Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := c.messages()
			if len(got) != 1 {
				t.Fatalf("%d messages with a wall clock %v ahead, want 1", len(got), ahead)
			}
			if left := got[0].Ends().Sub(cfg.Wall()); left != 3*time.Minute {
				t.Errorf("with a wall clock %v ahead the carrier gives the code %v, want 3m", ahead, left)
			}
		})
	}
}

func TestADeliveryThatIsWithItsCarrierIsNotHandedOverAgainWhenAClockIsSetAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := &carrier{name: "c1", answer: func(_ context.Context, msg delivery.Message) delivery.Result {
			time.Sleep(6 * time.Second)
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}}
		d, stop := run(t, config(m, routes{message.SMS: {c}}))
		m.send("o1", someone(t), 5*time.Minute, sms())
		d.Wake()
		time.Sleep(time.Second)
		m.mu.Lock()
		m.rows[0].lease = time.Time{} // over, by a clock that is more than it ahead
		m.mu.Unlock()
		d.Wake()
		time.Sleep(20 * time.Second)
		if n := c.asked(); n != 1 {
			t.Errorf("the carrier got it %d times, want once", n)
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
