package otp

import "time"

// OTP is the life of one issued code.
type OTP struct { //nolint:recvcheck // Expire moves the state in place, checks return a new one
	State    State
	Allowed  int // codes that may be compared
	Attempts int // codes that have been compared, the right one included

	Created time.Time
	Expires time.Time // the first instant at which the OTP is over
	Ended   time.Time // when State became final; zero while Active

	// EndSeen is set once a check has been answered with the final state.
	EndSeen bool

	Rule   Rule
	Key    KeyID
	Digest Digest
}

// At returns the state at now: an Active OTP whose time is over is Expired,
// though nothing was written yet. Final states do not change.
func (o OTP) At(now time.Time) State {
	if o.State == Active && !now.Before(o.Expires) {
		return Expired
	}
	return o.State
}

// Expire ends an Active OTP whose time is over at now and reports whether it
// did. The end counts from the moment of expiry, not from when it was noticed.
func (o *OTP) Expire(now time.Time) bool {
	if o.State != Active || now.Before(o.Expires) {
		return false
	}
	o.State, o.Ended = Expired, o.Expires
	return true
}

// Verdict is what one check of a typed code came to. The zero Verdict is not
// valid.
type Verdict uint8

// The verdicts. Right, Wrong and Spent compared the code and counted it; Late
// and Closed did neither.
const (
	Right  Verdict = iota + 1 // it matched; the OTP is now Verified
	Wrong                     // it did not match; more attempts are left
	Spent                     // it did not match and was the last attempt allowed
	Late                      // the time is over and this check is the first to say so
	Closed                    // an earlier check was already told the final state
)

// Compared reports whether the verdict came from comparing the code.
func (v Verdict) Compared() bool { return v == Right || v == Wrong || v == Spent }

// Check tries a guess at now: it counts the attempt, compares and moves the
// state, or does none of this in a final state. The caller holds the OTP's
// lock and reads now after taking it (V-01, V-03).
func (o OTP) Check(now time.Time, g Guess) (OTP, Verdict) {
	o.Expire(now)
	if o.State.Final() {
		v := Closed
		if o.State == Expired && !o.EndSeen {
			v = Late
		}
		o.EndSeen = true
		return o, v
	}
	o.Attempts++
	switch {
	case g.matches(o):
		o.State, o.Ended, o.EndSeen = Verified, now, true
		return o, Right
	case o.Attempts >= o.Allowed:
		o.State, o.Ended, o.EndSeen = TooManyAttempts, now, true
		return o, Spent
	}
	return o, Wrong
}
