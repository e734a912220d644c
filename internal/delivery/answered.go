package delivery

import (
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Standing is what is known of a delivery beside its Delivery at one moment, and
// of its OTP.
type Standing struct {
	Now      time.Time
	Of       otp.State // the OTP's at Now
	Expires  time.Time // when the OTP ends
	Step     Step      // the delivery's
	Sealed   bool      // its code is still kept
	Reported bool      // a final receipt (Delivered or Undeliverable) was recorded
}

// Answered applies what came of a submit: its outcome, and the receipt that the
// answer held, if any. The changes follow each other, and are to be written
// together; the last has the Extend of all. None means that nothing changes.
// reported is Standing.Reported afterwards.
func (d Delivery) Answered(o SubmitOutcome, at Standing) (changes []Change, reported bool) {
	c, ok := d.submitted(o, at.Step, at.Of, at.Expires, at.Now)
	if !ok {
		return nil, at.Reported
	}
	changes = []Change{c}
	if o.Result.Receipt == nil || c.Delivery.State != Dispatched {
		return changes, at.Reported
	}
	const before = false // it was handed over just now
	held, ok := c.Delivery.received(*o.Result.Receipt, at.Of, before)
	if !ok {
		return changes, at.Reported
	}
	held.Extend = c.Extend
	return append(changes, held), true
}

// Told applies a receipt that found the delivery: that its carrier has taken what
// may have been taken (provenTaken), and then that a busy line is called again
// (callAgain) or what the receipt says (received). What it returns is as in
// Answered.
func (d Delivery) Told(r Receipt, at Standing) (changes []Change, reported bool) {
	var extend time.Time
	if c, ok := d.provenTaken(at.Step, at.Of, at.Expires, at.Now); ok {
		changes, d, extend = append(changes, c), c.Delivery, c.Extend
	}
	reported = at.Reported
	c, again := d.callAgain(r, at.Of, at.Sealed, at.Now)
	if !again {
		var news bool
		if c, news = d.received(r, at.Of, reported); !news {
			return nil, at.Reported
		}
		reported = reported || r.State != ReceiptTimedOut
	}
	c.Extend = extend
	return append(changes, c), reported
}
