package delivery

import (
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// againAfter is how long a busy line is left alone before it is called again.
const againAfter = 20 * time.Second

// LineBusy is the failure of a call to a busy line.
var LineBusy = otp.Failure{Area: AreaCarrier, Code: "busy", Text: "The line is busy"}

// callAgain applies a receipt of a busy line at now, before received is asked:
// the delivery goes to the same carrier a second time after 20 s, where that is
// before the end of its wait. of is as in submitted, sealed says whether the code
// is still kept. False means that the receipt is one for received, as is that of
// the second call.
//
// The second call is wanted and billed; it is no repetition of the kind that a
// killed process causes (D-03), which both calls may still have.
func (d Delivery) callAgain(r Receipt, of otp.State, sealed bool, now time.Time) (Change, bool) {
	at := now.Add(againAfter)
	if !r.Busy || d.State != Dispatched || d.calledAgain() || of.Final() || !sealed || !at.Before(d.Due) {
		return Change{}, false
	}
	// Ref stays until there is another, so that a receipt that repeats this one
	// is known, and changes nothing.
	d.State, d.AgainUntil, d.Due = Queued, d.Due, at
	return Change{Delivery: d}, true
}

// calledAgain reports whether the delivery is handed over a second time, or was.
func (d Delivery) calledAgain() bool { return !d.AgainUntil.IsZero() }

// TimeOver ends the tries of a Queued delivery whose OTP's state, of, is final.
// Where its time was over before a check settled it, a carrier may have been
// asked in vain until then, or there was none to ask: that is told. False means
// that the OTP is still Active, or the delivery not Queued.
func (d Delivery) TimeOver(of otp.State, expires time.Time) (Change, bool) {
	if d.State != Queued || !of.Final() {
		return Change{}, false
	}
	return d.stopped(otp.Failure{}, of, expires), true
}

// stopped is TimeOver after a try that failed with why. Of a delivery that was
// dispatched before, or may have been, WaitOver tells the end.
func (d Delivery) stopped(why otp.Failure, of otp.State, expires time.Time) Change {
	switch ref, sent := d.maybeTaken(); {
	case d.calledAgain():
		d.State, d.Due = Dispatched, d.AgainUntil
		return Change{Delivery: d, Done: true}
	case of.Settled():
		d.Due = time.Time{}
		return Change{Delivery: d, Done: true}
	case sent:
		return d.dispatched(Result{Ref: ref}, Step{}, of, expires, expires)
	}
	d.Ref = ""
	return d.fail(why, of)
}
