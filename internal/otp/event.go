package otp

import "time"

// EventKind is what an event says.
type EventKind uint8

// The kinds of event in an OTP's history: what became of its deliveries, and
// what checks and time did to it.
const (
	EventDispatched EventKind = iota + 1
	EventDelivered
	EventUndeliverable
	EventTimedOut
	EventVerified
	EventWrongCode
	EventTooManyAttempts
	EventExpired
)

// String returns the kind's name as tables and callbacks write it.
func (k EventKind) String() string {
	switch k {
	case EventDispatched:
		return "DISPATCHED"
	case EventDelivered:
		return "DELIVERED"
	case EventUndeliverable:
		return "UNDELIVERABLE"
	case EventTimedOut:
		return "TIMED_OUT"
	case EventVerified:
		return "VERIFIED"
	case EventWrongCode:
		return "WRONG_CODE"
	case EventTooManyAttempts:
		return "TOO_MANY_ATTEMPTS"
	case EventExpired:
		return "EXPIRED"
	}
	return "INVALID"
}

// OfDelivery reports whether the kind tells of a delivery, not of a check.
func (k EventKind) OfDelivery() bool { return k >= EventDispatched && k <= EventTimedOut }

// Failure says why a delivery failed.
type Failure struct {
	Area string // "internal", "routing" or "carrier"
	Code string // the area's number or token, such as a carrier's own code
	Text string // a short sentence for people, without number or code
}

// Event is an entry in an OTP's history.
type Event struct {
	Seq      int       // 1, 2, … within the OTP
	At       time.Time // when it was recorded; strictly rising within the OTP, at least 1 ms apart
	Kind     EventKind
	Delivery int      // which delivery of the OTP it tells of; 0 for none
	Channel  string   // the delivery's channel; "" for none
	Carrier  string   // the delivery's carrier; "" for none
	Failure  *Failure // with EventUndeliverable
}

// EventStep is the least time between two events of one OTP.
const EventStep = time.Millisecond

// NextEventTime returns the time of an event recorded at now after one at
// last (zero if there was none), in whole milliseconds.
func NextEventTime(now, last time.Time) time.Time {
	at := now.Truncate(EventStep)
	if !last.IsZero() && at.Before(last.Add(EventStep)) {
		at = last.Add(EventStep)
	}
	return at
}

// CheckEvent names the event of a check that made after of before, false if it
// is none.
func CheckEvent(before, after OTP, v Verdict) (EventKind, bool) {
	switch v {
	case Right:
		return EventVerified, true
	case Wrong:
		return EventWrongCode, true
	case Spent:
		return EventTooManyAttempts, true
	case Late, Closed:
		return EventExpired, before.State == Active && after.State == Expired
	}
	return 0, false
}
