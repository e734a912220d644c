package delivery

import (
	"slices"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Passed says why a carrier of a route was passed over. The zero Passed is a
// carrier that was asked.
type Passed uint8

// The reasons to pass a carrier over.
const (
	PassedClosed  Passed = iota + 1 // the operator must act first
	PassedFailing                   // it failed over and over
	PassedFull                      // all its places were taken for too long
)

// String returns the reason in words, "" for none.
func (p Passed) String() string {
	switch p {
	case PassedClosed:
		return "it needs the operator"
	case PassedFailing:
		return "it kept failing"
	case PassedFull:
		return "it had no room"
	}
	return ""
}

// Try is one look at a carrier while a delivery is carried out: a submit, or
// that the carrier was passed over. It is for the delivery's story; no rule of
// deliveries depends on it.
type Try struct {
	Carrier string
	At      time.Time     // when it began
	Took    time.Duration // until the carrier answered; 0 if it was passed over
	Class   Class         // what a submit ended in; 0 if the carrier was passed over
	Passed  Passed
	Failure otp.Failure // why, unless the class is Accepted
	// Place is the carrier's place in the route, 1 for the first, of Of.
	Place, Of int
}

// tried notes a submit.
func (o *SubmitOutcome) tried(begun, ended time.Time, place, of int) {
	t := Try{
		Carrier: o.Carrier, At: begun, Took: max(ended.Sub(begun), 0), Class: o.Result.Class,
		Failure: o.Result.Failure, Place: place, Of: of,
	}
	if t.Class == Accepted {
		t.Failure = otp.Failure{}
	}
	o.Tries = append(o.Tries, t)
}

// lastAsked is the place in the route of the carrier that was asked last, 0 if
// none was.
func (o *SubmitOutcome) lastAsked() int {
	for _, t := range slices.Backward(o.Tries) {
		if t.Passed == 0 {
			return t.Place
		}
	}
	return 0
}

// passed notes that a carrier was passed over.
func (o *SubmitOutcome) passed(carrier string, at time.Time, p Passed, why otp.Failure, place, of int) {
	o.Tries = append(o.Tries, Try{Carrier: carrier, At: at, Passed: p, Failure: why, Place: place, Of: of})
}
