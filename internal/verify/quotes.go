package verify

import (
	"strings"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// telling is how many of a number's last digits tell whose it is.
const telling = 7

// Quoting reports whether text, which a carrier chose, holds the OTP's number or
// its code.
type Quoting func(of Record, text string) bool

// Quotes is the Quoting of OTPs whose codes keys hash.
func Quotes(keys otp.Hasher) Quoting {
	return func(of Record, text string) bool {
		number := strings.TrimPrefix(of.Recipient.Reveal(), "+")
		return strings.Contains(text, number[max(0, len(number)-telling):]) ||
			otp.Quoted(keys, otp.Subject{Account: of.Account, ID: of.ID}, of.OTP, text)
	}
}

// Hide returns an event of the OTP as it is told: a carrier's failure code that
// quotes becomes delivery.HiddenCode (callback events §6).
func (q Quoting) Hide(of Record, e otp.Event) otp.Event {
	if e.Failure == nil || e.Failure.Area != delivery.AreaCarrier || !q(of, e.Failure.Code) {
		return e
	}
	hidden := *e.Failure
	hidden.Code = delivery.HiddenCode
	e.Failure = &hidden
	return e
}
