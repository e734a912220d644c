package report

import (
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// why says why an OTP stands where it stands.
func why(r *Record) string {
	switch r.State {
	case otp.Verified:
		return whyVerified(r)
	case otp.TooManyAttempts:
		return "Blocked: all " + plural(r.Allowed, "attempt", "attempts") + " were used on wrong codes, the last at " + r.clock(r.Ended) +
			". A new OTP is needed." + alsoUndelivered(r)
	case otp.Expired:
		return whyExpired(r)
	case otp.Active:
		return whyActive(r)
	}
	return ""
}

// newest returns the newest delivery, nil if there is none.
func newest(r *Record) *Delivery {
	if len(r.Deliveries) == 0 {
		return nil
	}
	return &r.Deliveries[len(r.Deliveries)-1]
}

// eventOf returns the newest event of a kind that tells of delivery seq, or of
// any if seq is 0; nil if there is none.
func eventOf(r *Record, kind otp.EventKind, seq int) *Event {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if e := &r.Events[i]; e.Kind == kind && (seq == 0 || e.Delivery == seq) {
			return e
		}
	}
	return nil
}

func whyVerified(r *Record) string {
	text := "Verified: the right code was typed " + length(r.Ended.Sub(r.Created)) + " after the OTP was accepted"
	if sent := eventOf(r, otp.EventDispatched, 0); sent != nil && !sent.At.After(r.Ended) {
		text = "Verified: the right code was typed " + length(r.Ended.Sub(sent.At)) + " after " + sent.Carrier + " took the " + sent.Channel + " message"
	}
	return text + ", with attempt " + number(r.Attempts) + " of " + number(r.Allowed) + "."
}

// alsoUndelivered adds that no message is known to have arrived.
func alsoUndelivered(r *Record) string {
	if eventOf(r, otp.EventDelivered, 0) == nil {
		return " No message is known to have arrived, so somebody may have guessed."
	}
	return ""
}

func whyExpired(r *Record) string {
	tries := "Nobody typed a code."
	if r.Attempts > 0 {
		tries = plural(r.Attempts, "wrong code was", "wrong codes were") + " typed."
	}
	d := newest(r)
	if e := eventOf(r, otp.EventDelivered, 0); e != nil {
		return "Expired: the " + e.Channel + " message was delivered, but the right code was not typed in time. " + tries
	}
	if d == nil {
		return "Expired. " + tries
	}
	if e := eventOf(r, otp.EventUndeliverable, d.Seq); e != nil {
		return "Expired: the code did not arrive. " + lastFailure(e) + " " + tries
	}
	if d.State == delivery.Queued && d.AgainUntil.IsZero() {
		return "Expired: no carrier took the " + string(d.Channel) + " message in time. " + lastTry(d) + tries
	}
	return "Expired: " + d.Carrier + " took the " + string(d.Channel) + " message but never reported that it arrived. " + tries
}

// lastFailure tells why a message could not be delivered.
func lastFailure(e *Event) string {
	text := "The " + e.Channel + " message was undeliverable"
	if e.Failure == nil {
		return text + "."
	}
	switch e.Failure.Area {
	case delivery.AreaRouting:
		return text + ": " + because(*e.Failure) + "; no carrier was asked for it."
	case delivery.AreaInternal:
		return text + ": " + because(*e.Failure) + "."
	}
	if e.Carrier == "" {
		return text + ": " + because(*e.Failure) + "."
	}
	return text + ", says " + e.Carrier + ": " + because(*e.Failure) + "."
}

// lastTry tells what the last look at a carrier came to, with a blank behind.
func lastTry(d *Delivery) string {
	if len(d.Tries) == 0 {
		return "None was asked. "
	}
	t := d.Tries[len(d.Tries)-1]
	if t.Passed != 0 {
		return t.Carrier + " was passed over: " + t.Passed.String() + ". "
	}
	return t.Carrier + " said: " + because(t.Failure) + ". "
}

func whyActive(r *Record) string {
	until := " The code is good until " + r.clock(r.Expires) + "."
	if r.Attempts > 0 {
		until = " " + plural(r.Attempts, "wrong code was", "wrong codes were") + " typed, " +
			plural(r.Allowed-r.Attempts, "attempt is", "attempts are") + " left." + until
	}
	d := newest(r)
	if d == nil {
		return "Active." + until
	}
	channel := string(d.Channel)
	switch d.State {
	case delivery.Queued:
		if !d.AgainUntil.IsZero() {
			return "The line was busy when " + d.Carrier + " called. It is called once more at " + r.clock(d.Due) + "." + until
		}
		if len(d.Tries) == 0 {
			return "The " + channel + " message waits to be handed to a carrier." + until
		}
		text := "No carrier has taken the " + channel + " message yet. " + lastTry(d)
		if !d.Due.IsZero() {
			text += "It is tried again at " + r.clock(d.Due) + "."
		}
		return text + until
	case delivery.Dispatched:
		text := d.Carrier + " took the " + channel + " message and has not reported yet whether it arrived."
		if step, ok := r.Plan.Step(d.Next); ok && !d.Due.IsZero() {
			text += " If nothing comes until " + r.clock(d.Due) + ", " + string(step.Channel) + " is tried."
		}
		return text + until
	case delivery.Delivered:
		return "The " + channel + " message was delivered by " + d.Carrier + "; the code was not typed yet." + until
	case delivery.Undeliverable:
		if e := eventOf(r, otp.EventUndeliverable, d.Seq); e != nil {
			return lastFailure(e) + " Nothing else is planned: ask for a new OTP or a resend." + until
		}
	case delivery.TimedOut:
		return d.Carrier + " never reported whether the " + channel + " message arrived. Nothing else is planned." + until
	}
	return "Active." + until
}
