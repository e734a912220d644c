package delivery

import (
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Submitted is submitted.
func (d Delivery) Submitted(o SubmitOutcome, step Step, of otp.State, expires, now time.Time) (Change, bool) {
	return d.submitted(o, step, of, expires, now)
}

// ProvenTaken is provenTaken.
func (d Delivery) ProvenTaken(step Step, of otp.State, expires, now time.Time) (Change, bool) {
	return d.provenTaken(step, of, expires, now)
}

// CallAgain is callAgain.
func (d Delivery) CallAgain(r Receipt, of otp.State, sealed bool, now time.Time) (Change, bool) {
	return d.callAgain(r, of, sealed, now)
}

// Received is received.
func (d Delivery) Received(r Receipt, of otp.State, reported bool) (Change, bool) {
	return d.received(r, of, reported)
}
