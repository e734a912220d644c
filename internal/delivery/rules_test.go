package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

var (
	noon    = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	expires = noon.Add(3 * time.Minute)
	refused = otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "Rejected"}
)

// at returns a delivery by SMS in state.
func at(state delivery.State, change ...func(*delivery.Delivery)) delivery.Delivery {
	d := delivery.Delivery{
		Key: delivery.Key{Account: "acme", OTPID: "o1", Seq: 1}, Next: -1, State: state, Channel: message.SMS, Queued: noon,
	}
	switch state {
	case delivery.Queued:
		d.Due = noon
	case delivery.Dispatched:
		d.Carrier, d.Ref, d.Tries, d.Due = "c1", "r1", 1, expires
	case delivery.Delivered, delivery.Undeliverable, delivery.TimedOut:
		d.Carrier, d.Ref, d.Tries = "c1", "r1", 1
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func next(d *delivery.Delivery) { d.Next = 1 }

func due(t time.Time) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.Due = t }
}

// tried is a delivery that c1 was asked for once more.
func tried(d *delivery.Delivery) { d.Tries, d.Carrier = d.Tries+1, "c1" }

// unnamed is a delivery that the carrier gave no reference for.
func unnamed(d *delivery.Delivery) { d.Ref = "" }

// unsure is a queued delivery that c1 may have taken, under the id if it is
// known.
func unsure(id string) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.Tries, d.Carrier, d.Ref = 1, "c1", "(uncertain)"+id }
}

// parts is a queued delivery of which c1 has taken a part.
func parts(d *delivery.Delivery) { d.Carrier, d.Ref = "c1", "(partly)1 of 2" }

// nextIs is a delivery that is the carrier's next, after one try.
func nextIs(carrier string) func(*delivery.Delivery) {
	return func(d *delivery.Delivery) { d.Tries, d.Carrier = 1, carrier }
}

func twice(d *delivery.Delivery) { d.Tries = 2 }

func second(d *delivery.Delivery) { d.Seq = 2 }

func told(kind otp.EventKind, why *otp.Failure) *otp.Event {
	return &otp.Event{Kind: kind, Delivery: 1, Channel: "SMS", Carrier: "c1", Failure: why}
}

func TestASubmitMovesADelivery(t *testing.T) {
	t.Parallel()
	accepted := delivery.Result{Class: delivery.Accepted, Ref: "r1"}
	failed := func(c delivery.Class) delivery.Result { return delivery.Result{Class: c, Failure: refused} }
	retryAt := noon.Add(time.Second)
	stopped := at(delivery.Queued, tried, due(time.Time{}))
	unasked := at(delivery.Queued, due(time.Time{}))
	unasked.State = delivery.Undeliverable
	for _, c := range []struct {
		name    string
		from    delivery.Delivery
		asked   string // deferred: who was asked before
		next    string // deferred: who is next
		result  delivery.Result
		retryAt time.Time
		step    delivery.Step
		of      otp.State // Active, if zero
		want    delivery.Change
		ignored bool
	}{
		{
			name: "accepted, the last step waits as long as the OTP lasts", from: at(delivery.Queued), result: accepted,
			want: delivery.Change{Delivery: at(delivery.Dispatched), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "accepted, another step follows: it waits as long as the step says", from: at(delivery.Queued, next), result: accepted,
			step: delivery.Step{Wait: time.Minute},
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(noon.Add(time.Minute))), Event: told(otp.EventDispatched, nil)},
		},
		{
			name: "accepted, but never longer than half of what is left", from: at(delivery.Queued, next), result: accepted,
			step: delivery.Step{Wait: 2 * time.Minute},
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(noon.Add(90*time.Second))), Event: told(otp.EventDispatched, nil)},
		},
		{
			name: "accepted on a route without receipts: nothing follows", from: at(delivery.Queued, next),
			result: delivery.Result{Class: delivery.Accepted, Ref: "r1", NoReceipt: true},
			want:   delivery.Change{Delivery: at(delivery.Dispatched, due(time.Time{})), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "accepted after a check ended the OTP: reported, nothing follows", from: at(delivery.Queued, next), result: accepted, of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(time.Time{})), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "accepted after the OTP's time: reported, and its wait is over", from: at(delivery.Queued, next), result: accepted, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "accepted after the OTP's time on a route without receipts: nothing follows", from: at(delivery.Queued, next), of: otp.Expired,
			result: delivery.Result{Class: delivery.Accepted, Ref: "r1", NoReceipt: true},
			want:   delivery.Change{Delivery: at(delivery.Dispatched, due(time.Time{})), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "a first delivery extends nothing", from: at(delivery.Queued), result: accepted, step: delivery.Step{Life: time.Hour},
			want: delivery.Change{Delivery: at(delivery.Dispatched), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "a fallback makes its text true", from: at(delivery.Queued, second), result: accepted, step: delivery.Step{Life: 4 * time.Minute},
			want: delivery.Change{
				Delivery: at(delivery.Dispatched, second, due(noon.Add(4*time.Minute))), Extend: noon.Add(4 * time.Minute), Done: true,
				Event: &otp.Event{Kind: otp.EventDispatched, Delivery: 2, Channel: "SMS", Carrier: "c1"},
			},
		},
		{
			name: "a fallback that is over sooner extends nothing", from: at(delivery.Queued, second), result: accepted, step: delivery.Step{Life: time.Minute},
			want: delivery.Change{
				Delivery: at(delivery.Dispatched, second), Done: true,
				Event: &otp.Event{Kind: otp.EventDispatched, Delivery: 2, Channel: "SMS", Carrier: "c1"},
			},
		},
		{
			name: "retry", from: at(delivery.Queued, next), result: failed(delivery.Retry), retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, next, tried, due(retryAt))},
		},
		{
			name: "retry after a check ended the OTP: nothing more", from: at(delivery.Queued), result: failed(delivery.Retry), retryAt: retryAt, of: otp.Verified,
			want: delivery.Change{Delivery: stopped, Done: true},
		},
		{
			name: "retry after the OTP's time: it was not reached", from: at(delivery.Queued, next), result: failed(delivery.Retry), retryAt: retryAt, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, next, unnamed), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "uncertain after the OTP's time counts as dispatched", from: at(delivery.Queued), of: otp.Expired,
			result: delivery.Result{Class: delivery.Uncertain, Ref: "r1"}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Dispatched), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "retry that would come too late", from: at(delivery.Queued, next), result: failed(delivery.Retry), retryAt: expires,
			want: delivery.Change{
				Delivery: at(delivery.Undeliverable, next, unnamed), Event: told(otp.EventUndeliverable, &refused), StartNext: true, Done: true,
			},
		},
		{
			name: "retry given up", from: at(delivery.Queued, next), result: delivery.Result{Class: delivery.Retry},
			want: delivery.Change{
				Delivery: at(delivery.Undeliverable, next, unnamed), Event: told(otp.EventUndeliverable, &delivery.Unreachable), StartNext: true, Done: true,
			},
		},
		{
			name: "permanent, whatever else is asked for", from: at(delivery.Queued), result: failed(delivery.Permanent), retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, unnamed), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "permanent after the OTP's end starts nothing", from: at(delivery.Queued, next), result: failed(delivery.Permanent), of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, next, unnamed), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "config without another carrier", from: at(delivery.Queued), result: failed(delivery.Config),
			want: delivery.Change{Delivery: at(delivery.Undeliverable, unnamed), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "uncertain counts as dispatched", from: at(delivery.Queued), result: failed(delivery.Uncertain),
			want: delivery.Change{Delivery: at(delivery.Dispatched, unnamed), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain that can be repeated", from: at(delivery.Queued), result: failed(delivery.Uncertain), retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, unsure(""), due(retryAt))},
		},
		{
			name: "uncertain that can be repeated keeps the id that receipts would name", from: at(delivery.Queued),
			result: delivery.Result{Class: delivery.Uncertain, Ref: "r1"}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, unsure("r1"), due(retryAt))},
		},
		{
			name: "uncertain with the id that receipts name", from: at(delivery.Queued), result: delivery.Result{Class: delivery.Uncertain, Ref: "r1"},
			want: delivery.Change{Delivery: at(delivery.Dispatched), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain, then retry", from: at(delivery.Queued, unsure("r1")), result: failed(delivery.Retry), retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, unsure("r1"), twice, due(retryAt))},
		},
		{
			name: "uncertain, then no room for a while", from: at(delivery.Queued, unsure("r1")), result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, unsure("r1"), due(retryAt))},
		},
		{
			name: "uncertain, then retries are over: counts as dispatched", from: at(delivery.Queued, unsure("r1")), result: failed(delivery.Retry),
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain, then config: counts as dispatched", from: at(delivery.Queued, unsure("r1")), result: failed(delivery.Config),
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain twice: the id is that of the first", from: at(delivery.Queued, unsure("r1")), result: failed(delivery.Uncertain),
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain, then accepted: the id is that of the answer", from: at(delivery.Queued, unsure("r0")), result: accepted,
			want: delivery.Change{Delivery: at(delivery.Dispatched, twice), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "uncertain, then permanent: the carrier knows that it did not take it", from: at(delivery.Queued, unsure("r1")), result: failed(delivery.Permanent),
			want: delivery.Change{Delivery: at(delivery.Undeliverable, unnamed, twice), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "uncertain that would be repeated too late counts as dispatched", from: at(delivery.Queued), result: failed(delivery.Uncertain), retryAt: expires,
			want: delivery.Change{Delivery: at(delivery.Dispatched, unnamed), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "deferred is no try", from: at(delivery.Queued, next), result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, next, due(retryAt))},
		},
		{
			name: "deferred after a check ended the OTP: nothing more", from: at(delivery.Queued),
			result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt, of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Queued, due(time.Time{})), Done: true},
		},
		{
			name: "deferred after the OTP's time: it was not reached", from: at(delivery.Queued), result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt, of: otp.Expired,
			want: delivery.Change{
				Delivery: unasked, Event: &otp.Event{Kind: otp.EventUndeliverable, Delivery: 1, Channel: "SMS", Failure: &delivery.Unreachable}, Done: true,
			},
		},
		{
			name: "deferred once c1 was asked: a try, and c2 is next", from: at(delivery.Queued, next), asked: "c1", next: "c2",
			result: delivery.Result{Class: delivery.Deferred, Failure: refused}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, next, nextIs("c2"), due(retryAt))},
		},
		{
			name: "deferred once c1 was asked for the rest of its parts: c2 gets all", from: at(delivery.Queued, parts), asked: "c1", next: "c2",
			result: delivery.Result{Class: delivery.Deferred, Failure: refused}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, nextIs("c2"), due(retryAt))},
		},
		{
			name: "deferred before c1 was asked for the rest of its parts", from: at(delivery.Queued, parts),
			result: delivery.Result{Class: delivery.Deferred}, retryAt: retryAt,
			want: delivery.Change{Delivery: at(delivery.Queued, parts, due(retryAt))},
		},
		{
			name: "deferred once c1 was asked, after the OTP's time: c1 was the last", from: at(delivery.Queued), asked: "c1", next: "c2",
			result: delivery.Result{Class: delivery.Deferred, Failure: refused}, retryAt: retryAt, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, unnamed), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{name: "another answer was first: dispatched", from: at(delivery.Dispatched), result: accepted, ignored: true},
		{name: "another answer was first: undeliverable", from: at(delivery.Undeliverable), result: accepted, ignored: true},
		{name: "another answer was first: timed out", from: at(delivery.TimedOut), result: failed(delivery.Permanent), ignored: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := delivery.SubmitOutcome{Key: c.from.Key, Result: c.result, RetryAt: c.retryAt}
			if c.result.Class != delivery.Deferred {
				o.Carrier = "c1"
			} else {
				o.Carrier, o.Next = c.asked, c.next
			}
			got, ok := c.from.Submitted(o, c.step, stateOr(c.of, otp.Active), expires, noon)
			if ok == c.ignored {
				t.Errorf("Submitted changes = %v, want %v", ok, !c.ignored)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Submitted (-want +got):\n%s", diff)
			}
		})
	}
}

// stateOr returns of, or otherwise where of is zero.
func stateOr(of, otherwise otp.State) otp.State {
	if of == 0 {
		return otherwise
	}
	return of
}

func TestTheEndOfTimeIsToldOfADeliveryThatNobodyTook(t *testing.T) {
	t.Parallel()
	over := func(d delivery.Delivery, state delivery.State) delivery.Delivery {
		d.State, d.Due = state, time.Time{}
		return d
	}
	asked := at(delivery.Queued, tried, next)
	again := at(delivery.Queued, handedBefore, until(expires))
	gone := otp.Event{Kind: otp.EventUndeliverable, Delivery: 1, Channel: "SMS", Failure: &delivery.Unreachable}
	for _, c := range []struct {
		name    string
		from    delivery.Delivery
		of      otp.State // Expired, if zero
		want    delivery.Change
		ignored bool
	}{
		{
			name: "never handed over", from: at(delivery.Queued, next),
			want: delivery.Change{Delivery: over(at(delivery.Queued, next), delivery.Undeliverable), Event: &gone, Done: true},
		},
		{
			name: "handed over in vain", from: asked,
			want: delivery.Change{Delivery: over(asked, delivery.Undeliverable), Event: told(otp.EventUndeliverable, &delivery.Unreachable), Done: true},
		},
		{
			name: "handed over, and perhaps taken", from: at(delivery.Queued, unsure("r1"), next),
			want: delivery.Change{Delivery: at(delivery.Dispatched, next), Event: told(otp.EventDispatched, nil), Done: true},
		},
		{
			name: "handed over before: the wait's end is told", from: again,
			want: delivery.Change{Delivery: at(delivery.Dispatched, until(expires)), Done: true},
		},
		{
			name: "a check was first: nothing is told", from: asked, of: otp.Verified,
			want: delivery.Change{Delivery: over(asked, delivery.Queued), Done: true},
		},
		{name: "the OTP is open", from: asked, of: otp.Active, ignored: true},
		{name: "dispatched", from: at(delivery.Dispatched), ignored: true},
		{name: "undeliverable", from: at(delivery.Undeliverable), ignored: true},
	} {
		got, ok := c.from.TimeOver(stateOr(c.of, otp.Expired), expires)
		if diff := cmp.Diff(c.want, got); diff != "" || ok == c.ignored {
			t.Errorf("%s: TimeOver = %v (-want +got):\n%s", c.name, ok, diff)
		}
	}
}

func TestAWaitEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		from    delivery.Delivery
		of      otp.State // Expired, if zero
		want    delivery.Change
		ignored bool
	}{
		{
			name: "with another step", from: at(delivery.Dispatched, next, due(noon)), of: otp.Active,
			want: delivery.Change{Delivery: at(delivery.TimedOut, next), Event: told(otp.EventTimedOut, nil), StartNext: true, Done: true},
		},
		{
			name: "of the last step, at the OTP's end", from: at(delivery.Dispatched, due(noon)),
			want: delivery.Change{Delivery: at(delivery.TimedOut), Event: told(otp.EventTimedOut, nil), Done: true},
		},
		{
			name: "with another step, but the OTP is over", from: at(delivery.Dispatched, next, due(noon)),
			want: delivery.Change{Delivery: at(delivery.TimedOut, next), Event: told(otp.EventTimedOut, nil), Done: true},
		},
		{
			name: "of a verified OTP: not reported", from: at(delivery.Dispatched, next, due(noon)), of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(time.Time{})), Done: true},
		},
		{name: "not yet", from: at(delivery.Dispatched, due(noon.Add(1))), of: otp.Active, ignored: true},
		{name: "never, without a time", from: at(delivery.Dispatched, due(time.Time{})), of: otp.Active, ignored: true},
		{name: "not while queued", from: at(delivery.Queued), of: otp.Active, ignored: true},
		{name: "not once delivered", from: at(delivery.Delivered, due(noon)), of: otp.Active, ignored: true},
		{name: "not twice", from: at(delivery.TimedOut, due(noon)), of: otp.Active, ignored: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := c.from.WaitOver(stateOr(c.of, otp.Expired), noon)
			if ok == c.ignored {
				t.Errorf("WaitOver changes = %v, want %v", ok, !c.ignored)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("WaitOver (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReceiptMovesADelivery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from     delivery.Delivery
		says     delivery.ReceiptState
		of       otp.State // Active, if zero
		reported bool
		want     delivery.Change
		ignored  bool
	}{
		{
			name: "delivered", from: at(delivery.Dispatched, next), says: delivery.ReceiptDelivered,
			want: delivery.Change{Delivery: at(delivery.Delivered, next), Event: told(otp.EventDelivered, nil), Done: true},
		},
		{
			name: "delivered after the OTP was verified: still reported", from: at(delivery.Dispatched), says: delivery.ReceiptDelivered, of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Delivered), Event: told(otp.EventDelivered, nil), Done: true},
		},
		{
			name: "undeliverable", from: at(delivery.Dispatched, next), says: delivery.ReceiptUndeliverable,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, next), Event: told(otp.EventUndeliverable, &refused), StartNext: true, Done: true},
		},
		{
			name: "undeliverable after the OTP's end starts nothing", from: at(delivery.Dispatched, next), says: delivery.ReceiptUndeliverable, of: otp.Expired,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, next), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{
			name: "timed out at the carrier", from: at(delivery.Dispatched, next), says: delivery.ReceiptTimedOut,
			want: delivery.Change{Delivery: at(delivery.TimedOut, next), Event: told(otp.EventTimedOut, nil), StartNext: true, Done: true},
		},
		{
			name: "timed out at the carrier after the OTP was verified: not reported", from: at(delivery.Dispatched, next), says: delivery.ReceiptTimedOut, of: otp.Verified,
			want: delivery.Change{Delivery: at(delivery.Dispatched, next, due(time.Time{})), Done: true},
		},
		{
			name: "late delivered is reported and undoes nothing", from: at(delivery.TimedOut, next), says: delivery.ReceiptDelivered,
			want: delivery.Change{Delivery: at(delivery.Delivered, next), Event: told(otp.EventDelivered, nil), Done: true},
		},
		{
			name: "late undeliverable is reported and starts nothing", from: at(delivery.TimedOut, next), says: delivery.ReceiptUndeliverable,
			want: delivery.Change{Delivery: at(delivery.Undeliverable, next), Event: told(otp.EventUndeliverable, &refused), Done: true},
		},
		{name: "late timed out says nothing new", from: at(delivery.TimedOut, next), says: delivery.ReceiptTimedOut, ignored: true},
		{name: "delivered again", from: at(delivery.Delivered), says: delivery.ReceiptDelivered, ignored: true},
		{name: "undeliverable after delivered", from: at(delivery.Delivered), says: delivery.ReceiptUndeliverable, ignored: true},
		{name: "delivered after undeliverable", from: at(delivery.Undeliverable), says: delivery.ReceiptDelivered, ignored: true},
		{name: "timed out after undeliverable", from: at(delivery.Undeliverable), says: delivery.ReceiptTimedOut, ignored: true},
		{name: "delivered, but a final receipt was recorded", from: at(delivery.TimedOut), says: delivery.ReceiptDelivered, reported: true, ignored: true},
		{name: "before any dispatch", from: at(delivery.Queued), says: delivery.ReceiptDelivered, ignored: true},
		{name: "of no known state", from: at(delivery.Dispatched), says: 0, ignored: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := delivery.Receipt{Carrier: "c1", Ref: "r1", State: c.says, Failure: refused}
			got, ok := c.from.Received(r, stateOr(c.of, otp.Active), c.reported)
			if ok == c.ignored {
				t.Errorf("Received changes = %v, want %v", ok, !c.ignored)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Received (-want +got):\n%s", diff)
			}
		})
	}
}
