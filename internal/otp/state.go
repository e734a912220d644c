package otp

// State is where an OTP stands. The zero State is not valid.
type State uint8

// The states of an OTP; all but Active are final.
const (
	Active State = iota + 1
	Verified
	Expired
	TooManyAttempts
)

// String returns the state's name as design and tables write it.
func (s State) String() string {
	switch s {
	case Active:
		return "ACTIVE"
	case Verified:
		return "VERIFIED"
	case Expired:
		return "EXPIRED"
	case TooManyAttempts:
		return "TOO_MANY_ATTEMPTS"
	}
	return "INVALID"
}

// Settled reports whether a check ended the OTP: its code was verified, or
// blocked by wrong guesses.
func (s State) Settled() bool { return s == Verified || s == TooManyAttempts }

// Final reports whether nothing can change the state any more.
func (s State) Final() bool { return s != Active }
