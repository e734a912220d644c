package delivery_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// pause is how long a busy line is left alone.
const pause = 20 * time.Second

// until is a delivery that is, or was, called again until t.
func until(t time.Time) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.AgainUntil = t }
}

// handedBefore is what a queued delivery has that was handed over before.
func handedBefore(d *delivery.Delivery) { d.Carrier, d.Ref, d.Tries = "c1", "r1", 1 }

func ref(id string) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.Ref = id }
}

func TestABusyLineIsCalledAgainOnceIfTimeAllows(t *testing.T) {
	t.Parallel()
	busy := delivery.Receipt{Carrier: "c1", Ref: "r1", State: delivery.ReceiptUndeliverable, Failure: delivery.LineBusy, Busy: true}
	failed := busy
	failed.Busy = false
	justInTime, tooLate := noon.Add(pause+time.Microsecond), noon.Add(pause)
	for _, c := range []struct {
		name     string
		from     delivery.Delivery
		says     delivery.Receipt
		of       otp.State // Active, if zero
		codeless bool
		want     delivery.Change
	}{
		{
			name: "in 20 s, its end where it was", from: at(delivery.Dispatched, next), says: busy,
			want: delivery.Change{Delivery: at(delivery.Queued, handedBefore, next, due(noon.Add(pause)), until(expires))},
		},
		{
			name: "before the end of its wait", from: at(delivery.Dispatched, due(justInTime)), says: busy,
			want: delivery.Change{Delivery: at(delivery.Queued, handedBefore, due(noon.Add(pause)), until(justInTime))},
		},
		{name: "not at the end of its wait", from: at(delivery.Dispatched, due(tooLate)), says: busy},
		{name: "not a second time", from: at(delivery.Dispatched, until(expires)), says: busy},
		{name: "not while it waits to be called again", from: at(delivery.Queued, handedBefore, due(noon.Add(pause)), until(expires)), says: busy},
		{name: "not when its wait is over", from: at(delivery.TimedOut), says: busy},
		{name: "not after the OTP's end", from: at(delivery.Dispatched), says: busy, of: otp.Expired},
		{name: "not without the code", from: at(delivery.Dispatched), says: busy, codeless: true},
		{name: "not where another call failed", from: at(delivery.Dispatched), says: failed},
	} {
		got, ok := c.from.CallAgain(c.says, stateOr(c.of, otp.Active), !c.codeless, noon)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != (c.want.Delivery.State != 0) {
			t.Errorf("%s: Again = %v (-want +got):\n%s", c.name, ok, diff)
		}
	}
}

func TestASecondCallIsNotToldOfAndKeepsTheFirstsEnd(t *testing.T) {
	t.Parallel()
	end := noon.Add(50 * time.Second)
	waiting := at(delivery.Queued, handedBefore, next, until(end))
	taken := delivery.Result{Class: delivery.Accepted, Ref: "r2", MayBeBusy: true}
	failed := func(c delivery.Class) delivery.Result { return delivery.Result{Class: c, Failure: refused} }
	retryAt := noon.Add(time.Second)
	for _, c := range []struct {
		name    string
		from    delivery.Delivery
		result  delivery.Result
		retryAt time.Time
		of      otp.State // Active, if zero
		want    delivery.Change
	}{
		{
			name: "taken, another step follows", from: waiting, result: taken,
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice, ref("r2"), next, due(end), until(end))},
		},
		{
			name: "taken, the last step: its code may go", from: at(delivery.Queued, handedBefore, until(expires)), result: taken,
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice, ref("r2"), until(expires)), Done: true},
		},
		{
			name: "refused", from: waiting, result: failed(delivery.Permanent),
			want: delivery.Change{
				Delivery: at(delivery.Undeliverable, twice, unnamed, next, until(end)), Event: told(otp.EventUndeliverable, &refused), StartNext: true, Done: true,
			},
		},
		{
			name: "to be tried again", from: waiting, result: failed(delivery.Retry), retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, handedBefore, twice, next, due(retryAt), until(end))},
		},
		{
			name: "its answer lost", from: waiting, result: failed(delivery.Uncertain),
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice, unnamed, next, due(end), until(end))},
		},
		{
			name: "to be tried again after the OTP's end: the end of the wait is still to be told", from: waiting,
			result: failed(delivery.Retry), retryAt: retryAt, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice, next, due(end), until(end)), Done: true},
		},
		{
			name: "no room, after the OTP's end", from: waiting, result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(end), until(end)), Done: true},
		},
	} {
		o := delivery.SubmitOutcome{Key: c.from.Key, Carrier: "c1", Result: c.result, RetryAt: c.retryAt}
		got, ok := c.from.Submitted(o, delivery.Step{Wait: time.Minute}, stateOr(c.of, otp.Active), expires, noon)
		if diff := cmp.Diff(c.want, got); diff != "" || !ok {
			t.Errorf("%s: Submitted = %v (-want +got):\n%s", c.name, ok, diff)
		}
	}
}

func TestTheCodeOfACallIsKeptUntilItsLineCannotBeBusyAnyMore(t *testing.T) {
	t.Parallel()
	o := delivery.SubmitOutcome{Carrier: "c1", Result: delivery.Result{Class: delivery.Accepted, Ref: "r1", MayBeBusy: true}}
	got, _ := at(delivery.Queued).Submitted(o, delivery.Step{}, otp.Active, expires, noon)
	want := delivery.Change{Delivery: at(delivery.Dispatched), Event: told(otp.EventDispatched, nil)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Submitted (-want +got):\n%s", diff)
	}
	o.Result.NoReceipt = true
	if got, _ := at(delivery.Queued).Submitted(o, delivery.Step{}, otp.Active, expires, noon); !got.Done {
		t.Errorf("without receipts the code is kept: %+v", got)
	}
}

// phoneLine is a carrier whose every call has a reference of its own: c1, c2 and so on.
func phoneLine(name string, results ...delivery.Result) *carrier {
	c := &carrier{name: name}
	c.answer = func(context.Context, delivery.Message) delivery.Result {
		c.mu.Lock()
		defer c.mu.Unlock()
		n := len(c.got)
		if n <= len(results) && results[n-1].Class != 0 {
			return results[n-1]
		}
		return delivery.Result{Class: delivery.Accepted, Ref: "c" + string(rune('0'+n)), MayBeBusy: true}
	}
	return c
}

func TestABusyPhoneRingsOnceMore(t *testing.T) {
	t.Parallel()
	later := func(c delivery.Class) delivery.Result { return delivery.Result{Class: c, Failure: refused} }
	for _, c := range []struct {
		name    string
		answers []delivery.Result // of the calls; the zero one and more are taken
		then    func(t *testing.T, d *delivery.Dispatcher, m *memory, says func(ref string, s delivery.ReceiptState, busy bool))
		calls   []time.Duration
		told    []string
	}{
		{
			name: "and is answered",
			then: func(_ *testing.T, _ *delivery.Dispatcher, _ *memory, says func(string, delivery.ReceiptState, bool)) {
				time.Sleep(25 * time.Second)
				says("c2", delivery.ReceiptDelivered, false)
			},
			calls: []time.Duration{0, 25 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE DELIVERED"},
		},
		{
			name: "and is busy again",
			then: func(_ *testing.T, _ *delivery.Dispatcher, _ *memory, says func(string, delivery.ReceiptState, bool)) {
				time.Sleep(25 * time.Second)
				says("c2", delivery.ReceiptUndeliverable, true)
			},
			calls: []time.Duration{0, 25 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE UNDELIVERABLE carrier::busy", "SMS DISPATCHED"},
		},
		{
			name: "and a receipt of the first call comes late",
			then: func(t *testing.T, d *delivery.Dispatcher, _ *memory, says func(string, delivery.ReceiptState, bool)) {
				says("c1", delivery.ReceiptUndeliverable, true) // while it waits: known, and nothing new
				time.Sleep(25 * time.Second)
				known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "pbx", Ref: "c1", State: delivery.ReceiptUndeliverable, Failure: refused})
				if known || err != nil {
					t.Errorf("late receipt: Receive = %v, %v; want unknown", known, err)
				}
				says("c2", delivery.ReceiptDelivered, false)
			},
			calls: []time.Duration{0, 25 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE DELIVERED"},
		},
		{
			name: "until its step's time is over",
			then: func(*testing.T, *delivery.Dispatcher, *memory, func(string, delivery.ReceiptState, bool)) {
				time.Sleep(time.Minute) // and not one from the second call
			},
			calls: []time.Duration{0, 25 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE TIMED_OUT", "SMS DISPATCHED"},
		},
		{
			name: "unless the OTP is verified before",
			then: func(_ *testing.T, d *delivery.Dispatcher, m *memory, _ func(string, delivery.ReceiptState, bool)) {
				m.verify("o1")
				d.Ended("acme", "o1")
				time.Sleep(5 * time.Minute)
			},
			calls: []time.Duration{0},
			told:  []string{"VOICE DISPATCHED"},
		},
		{
			name:    "at the same carrier, which has a temporary error then",
			answers: []delivery.Result{{}, later(delivery.Retry)},
			then: func(_ *testing.T, _ *delivery.Dispatcher, _ *memory, says func(string, delivery.ReceiptState, bool)) {
				time.Sleep(30 * time.Second)
				says("c3", delivery.ReceiptDelivered, false)
			},
			calls: []time.Duration{0, 25 * time.Second, 26 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE DELIVERED"},
		},
		{
			name:    "at the same carrier, which needs the operator then",
			answers: []delivery.Result{{}, later(delivery.Config)},
			then: func(*testing.T, *delivery.Dispatcher, *memory, func(string, delivery.ReceiptState, bool)) {
				time.Sleep(30 * time.Second)
			},
			calls: []time.Duration{0, 25 * time.Second},
			told:  []string{"VOICE DISPATCHED", "VOICE UNDELIVERABLE carrier::3", "SMS DISPATCHED"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				pbx, other := phoneLine("pbx", c.answers...), accepting("other")
				d, stop := run(t, config(m, routes{message.Voice: {pbx, other}, message.SMS: {accepting("sms")}}))
				start := time.Now()
				m.send("o1", someone(t), 4*time.Minute, voice(), sms())
				d.Wake()
				says := func(ref string, s delivery.ReceiptState, busy bool) {
					t.Helper()
					r := delivery.Receipt{Carrier: "pbx", Ref: ref, State: s, Busy: busy}
					if s == delivery.ReceiptUndeliverable {
						r.Failure = delivery.LineBusy
					}
					if known, err := d.Receive(t.Context(), r); !known || err != nil {
						t.Errorf("Receive of %s = %v, %v; want known", ref, known, err)
					}
				}
				time.Sleep(5 * time.Second)
				says("c1", delivery.ReceiptUndeliverable, true)
				c.then(t, d, m, says)
				synctest.Wait()
				calls := pbx.times(start)
				for i := range calls { // what is due is found by polling
					calls[i] = calls[i].Round(time.Second)
				}
				if diff := cmp.Diff(c.calls, calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if other.asked() != 0 {
					t.Error("another carrier made the second call")
				}
				if refs := pbx.refs(); len(slices.Compact(refs)) != 1 {
					t.Errorf("the calls have the references %q; want one", refs)
				}
				if diff := cmp.Diff(c.told, m.told()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if err := stop(); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

func TestASecondCallRingsNoLongerThanTheFirstsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pbx := phoneLine("pbx")
		d, stop := run(t, config(m, routes{message.Voice: {pbx}, message.SMS: {accepting("sms")}}))
		m.send("o1", someone(t), 4*time.Minute, voice(), sms())
		d.Wake()
		time.Sleep(10 * time.Second)
		if _, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "pbx", Ref: "c1", State: delivery.ReceiptUndeliverable, Failure: delivery.LineBusy, Busy: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(21 * time.Second)
		calls := pbx.messages()
		if len(calls) != 2 {
			t.Fatalf("%d calls; want 2", len(calls))
		}
		if got := calls[1].Step.Wait; calls[0].Step.Wait != time.Minute || got > 30*time.Second || got < 29*time.Second {
			t.Errorf("the calls wait %v and %v; want a minute, and what is left of it", calls[0].Step.Wait, got)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// A node that takes the delivery up too late makes no call.
func TestASecondCallThatComesTooLateIsNotMade(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pbx := phoneLine("pbx")
		cfg := config(m, routes{message.Voice: {pbx}, message.SMS: {accepting("sms")}})
		m.send("o1", someone(t), 4*time.Minute, voice(), sms())
		d := delivery.NewDispatcher(cfg)
		if _, err := d.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "pbx", Ref: "c1", State: delivery.ReceiptUndeliverable, Failure: delivery.LineBusy, Busy: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if _, err := delivery.NewDispatcher(cfg).Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"VOICE DISPATCHED", "VOICE UNDELIVERABLE carrier::busy", "SMS DISPATCHED"}
		if diff := cmp.Diff(want, m.told()); diff != "" || pbx.asked() != 1 {
			t.Errorf("%d calls; want 1; events (-want +got):\n%s", pbx.asked(), diff)
		}
	})
}
