package delivery

import (
	"cmp"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Change is what one rule makes of a delivery: the delivery afterwards and
// what the store must do with it, all in one transaction.
type Change struct {
	Delivery Delivery
	// Event is recorded, if not nil; its Seq and At are the store's to set.
	Event *otp.Event
	// StartNext: the plan's step Delivery.Next is to be queued now.
	StartNext bool
	// Extend: the OTP is to last at least until then; zero for no change.
	Extend time.Time
	// Done: nothing will be sent for this delivery any more, so that its
	// sealed code may go.
	Done bool
	// ByID: receipts are to find the delivery by its Dedupe too.
	ByID bool
}

func (d Delivery) event(kind otp.EventKind, failure *otp.Failure) *otp.Event {
	return &otp.Event{Kind: kind, Delivery: d.Seq, Channel: string(d.Channel), Carrier: d.Carrier, Failure: failure}
}

// maybeTaken reports whether an earlier submit of a Queued delivery was
// Uncertain, so that no carrier but Carrier may get it, and under which id that
// carrier has it; "" if that is not known.
func (d Delivery) maybeTaken() (ref string, ok bool) {
	if d.State != Queued || !strings.HasPrefix(d.Ref, unsure) {
		return "", false
	}
	return d.Ref[len(unsure):], true
}

// submitted applies the outcome of a submit at now. of is the OTP's state at now
// and expires its end; step is the delivery's. False means that the outcome
// changes nothing (an earlier one was first).
func (d Delivery) submitted(o SubmitOutcome, step Step, of otp.State, expires, now time.Time) (Change, bool) {
	if d.State != Queued {
		return Change{}, false
	}
	o.Result.Ref = plainRef(o.Result.Ref)
	if o.Result.Class == Deferred {
		return d.deferred(o, of, expires), true
	}
	d.Tries++
	if o.Carrier != "" {
		d.Carrier = o.Carrier
	}
	class := o.Result.Class
	ref, uncertain := d.maybeTaken()
	if class == Uncertain {
		ref, uncertain = cmp.Or(o.Result.Ref, ref), true
		d.Ref = unsure + ref
	}
	if !uncertain && !d.calledAgain() {
		d.Ref = ""
		if class == Retry && o.Result.Taken != "" {
			d.Ref = partly + o.Result.Taken
		}
	}
	again := !o.RetryAt.IsZero() && class != Accepted && class != Permanent
	switch {
	case again && of.Final():
		return d.stopped(o.Result.Failure, of, expires), true
	case again && o.RetryAt.Before(expires):
		d.Due = o.RetryAt
		return Change{Delivery: d}, true
	}
	switch {
	case class == Accepted:
		c := d.dispatched(o.Result, step, of, expires, now)
		c.ByID = o.Result.ByID && o.Result.Ref != d.Dedupe
		return c, true
	case uncertain && class != Permanent: // with that its carrier says that it did not take it
		// It counts as dispatched, whatever a repetition ended in: a second
		// message would cost money and confuse, so the wait for the receipt
		// decides.
		o.Result.Ref = ref
		return d.dispatched(o.Result, step, of, expires, now), true
	}
	d.Ref = ""
	return d.fail(o.Result.Failure, of), true
}

// deferred is submitted of a delivery that was put back. With Next others were
// asked before it was: that counts as a try, and they are not asked again.
func (d Delivery) deferred(o SubmitOutcome, of otp.State, expires time.Time) Change {
	if o.Next != "" {
		d.Tries++
		d.Carrier = o.Carrier
		if _, uncertain := d.maybeTaken(); !uncertain && !d.calledAgain() {
			d.Ref = "" // what it said of parts is not the next carrier's
		}
	}
	if of.Final() {
		return d.stopped(o.Result.Failure, of, expires)
	}
	if o.Next != "" {
		d.Carrier = o.Next
	}
	d.Due = o.RetryAt
	return Change{Delivery: d}
}

// provenTaken applies that a receipt tells of a Queued delivery, before received
// is asked: its carrier has the message whose answer was lost, so that it is
// Dispatched. The arguments are as in submitted. False means that this is nothing
// new.
func (d Delivery) provenTaken(step Step, of otp.State, expires, now time.Time) (Change, bool) {
	ref, ok := d.maybeTaken()
	if !ok {
		return Change{}, false
	}
	return d.dispatched(Result{Ref: ref}, step, of, expires, now), true
}

func (d Delivery) dispatched(r Result, step Step, of otp.State, expires, now time.Time) Change {
	d.State, d.Ref = Dispatched, r.Ref
	c := Change{Done: d.Next < 0 && (d.calledAgain() || !r.MayBeBusy)}
	if !d.calledAgain() { // else it is known
		c.Event = d.event(otp.EventDispatched, nil)
	}
	if !of.Final() && d.Seq > 1 && step.Life > 0 {
		if until := now.Add(step.Life); until.After(expires) {
			c.Extend, expires = until, until
		}
	}
	switch {
	case of.Settled():
		d.Due, c.Done = time.Time{}, true
	case r.NoReceipt && r.Receipt == nil: // else that one decides
		d.Due, d.Next, c.Done = time.Time{}, -1, true
	case of.Final(): // its wait is over already, which WaitOver tells
		d.Due, c.Done = expires, true
	case d.Next >= 0 && d.calledAgain():
		d.Due = d.AgainUntil
	case d.Next >= 0:
		// Never more than half of the validity left (contract v4 §5).
		d.Due = now.Add(min(step.Wait, expires.Sub(now)/2))
	default:
		d.Due = expires
	}
	c.Delivery = d
	return c
}

// fail ends the delivery as Undeliverable.
func (d Delivery) fail(why otp.Failure, of otp.State) Change {
	if why.Code == "" {
		why = Unreachable
	}
	d.State, d.Due = Undeliverable, time.Time{}
	return Change{
		Delivery: d, Event: d.event(otp.EventUndeliverable, &why),
		StartNext: !of.Final() && d.Next >= 0, Done: true,
	}
}

// Fail ends a Queued delivery of an Active OTP that no carrier can take.
func (d Delivery) Fail(why otp.Failure) Change { return d.fail(why, otp.Active) }

// WaitOver applies the end of the wait for a receipt at now, when the OTP's state
// is of. Once a check has settled the OTP no time-out is reported (callback
// events §5.5). False means that nothing is due.
func (d Delivery) WaitOver(of otp.State, now time.Time) (Change, bool) {
	if d.State != Dispatched || d.Due.IsZero() || d.Due.After(now) {
		return Change{}, false
	}
	return d.timedOut(of), true
}

// timedOut ends the wait for a receipt.
func (d Delivery) timedOut(of otp.State) Change {
	d.Due = time.Time{}
	if of.Settled() {
		return Change{Delivery: d, Done: true}
	}
	d.State = TimedOut
	return Change{
		Delivery: d, Event: d.event(otp.EventTimedOut, nil),
		StartNext: !of.Final() && d.Next >= 0, Done: true,
	}
}

// received applies a receipt. of is as in WaitOver. reported says whether a final
// receipt (Delivered or Undeliverable) was already recorded for this delivery.
// False means that the receipt changes nothing: it repeats what is known.
func (d Delivery) received(r Receipt, of otp.State, reported bool) (Change, bool) {
	late := d.State == TimedOut
	if d.State != Dispatched && !late || reported {
		return Change{}, false
	}
	d.Due = time.Time{}
	switch r.State {
	case ReceiptDelivered:
		d.State = Delivered
		return Change{Delivery: d, Event: d.event(otp.EventDelivered, nil), Done: true}, true
	case ReceiptUndeliverable:
		c := d.fail(r.Failure, of)
		c.StartNext = c.StartNext && !late // what the time-out started is enough
		return c, true
	case ReceiptTimedOut:
		if late {
			return Change{}, false
		}
		return d.timedOut(of), true
	}
	return Change{}, false
}
