package report

import (
	"strings"

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

// deliveryOf returns the delivery that an event tells of, nil for none.
func deliveryOf(r *Record, e *Event) *Delivery {
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.Seq == e.Delivery {
			return d
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
	if r.cutShort() {
		return "Ended at " + r.clock(r.Expires) + ", before its time, by the release of a quarantine. " + tries
	}
	if e := eventOf(r, otp.EventDelivered, 0); e != nil {
		return "Expired: the " + e.Channel + " message was delivered, but the right code was not typed in time. " + tries
	}
	if d == nil {
		return "Expired. " + tries
	}
	if e := eventOf(r, otp.EventUndeliverable, d.Seq); e != nil {
		return "Expired: the code did not arrive. " + lastFailure(r, e) + " " + tries
	}
	if d.GaveUp != nil {
		return "Expired: " + gaveUp(d) + tries
	}
	if text, unsure := mayHaveTaken(d); unsure {
		return "Expired: " + text + "It never reported that the message arrived. " + tries
	}
	if d.State == delivery.Queued && d.AgainUntil.IsZero() {
		return "Expired: no carrier took the " + string(d.Channel) + " message in time. " + lastTry(d) + tries
	}
	return "Expired: " + d.Carrier + " took the " + string(d.Channel) + " message but never reported that it arrived. " + tries
}

// gaveUp tells that the carrier tries no longer, with a blank behind.
func gaveUp(d *Delivery) string {
	return d.Carrier + " took the " + string(d.Channel) + " message and reported that it gave up" + d.GaveUp.why() + ". "
}

// mayHaveTaken tells, with a blank behind, that a carrier was asked and nobody
// knows whether it has the message; false if that is known.
func mayHaveTaken(d *Delivery) (text string, unsure bool) {
	for _, t := range d.Tries {
		switch {
		case t.Passed != 0:
		case t.Class == delivery.Accepted:
			return "", false
		case t.Class == delivery.Uncertain:
			text = t.Carrier + " did not say whether it took the " + string(d.Channel) + " message: " + because(t.Failure) + ". "
		}
	}
	return text, text != ""
}

// lastFailure tells why a message could not be delivered.
func lastFailure(r *Record, e *Event) string {
	text := "The " + e.Channel + " message was undeliverable"
	if e.Failure == nil {
		return text + "."
	}
	switch e.Failure.Area {
	case delivery.AreaRouting:
		return text + ": " + because(*e.Failure) + "; no carrier was asked for it."
	case delivery.AreaInternal:
		text += ": " + because(*e.Failure) + "."
		if d := deliveryOf(r, e); d != nil && len(d.Tries) > 0 {
			// The code is the same whatever the cause was: what the last carrier said
			// tells more, if it is not this.
			if t := d.Tries[len(d.Tries)-1]; t.Passed == 0 && t.Failure == *e.Failure {
				return text + " " + t.Carrier + " was asked last."
			}
			text += " " + strings.TrimSpace(lastTry(d))
		}
		return text
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
		text := t.Carrier + " was passed over: " + t.Passed.String() + ". "
		if t.Failure != (otp.Failure{}) {
			text += "Its last failure: " + because(t.Failure) + ". "
		}
		return text
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
		text, unsure := mayHaveTaken(d)
		if !unsure {
			text = "No carrier has taken the " + channel + " message yet. " + lastTry(d)
		}
		if !d.Due.IsZero() {
			text += "It is tried again at " + r.clock(d.Due) + "."
		}
		return text + until
	case delivery.Dispatched:
		text, unsure := mayHaveTaken(d)
		if unsure {
			text += "It has not reported yet whether the message arrived."
		} else {
			text = d.Carrier + " took the " + channel + " message and has not reported yet whether it arrived."
		}
		if step, ok := r.Plan.Step(d.Next); ok && !d.Due.IsZero() {
			text += " If nothing comes until " + r.clock(d.Due) + ", " + string(step.Channel) + " is tried."
		}
		return text + until
	case delivery.Delivered:
		return "The " + channel + " message was delivered by " + d.Carrier + "; the code was not typed yet." + until
	case delivery.Undeliverable:
		if e := eventOf(r, otp.EventUndeliverable, d.Seq); e != nil {
			return lastFailure(r, e) + " Nothing else is planned: ask for a new OTP or a resend." + until
		}
	case delivery.TimedOut:
		if d.GaveUp != nil {
			return gaveUp(d) + "Nothing else is planned." + until
		}
		if text, unsure := mayHaveTaken(d); unsure {
			return text + "It never reported whether the message arrived. Nothing else is planned." + until
		}
		return d.Carrier + " never reported whether the " + channel + " message arrived. Nothing else is planned." + until
	}
	return "Active." + until
}
