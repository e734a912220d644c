package verify

import (
	"strings"
	"sync/atomic"

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

// Hider hides in what is told of OTPs what a Quoting finds; stores embed it. The
// zero value hides nothing. It is safe for concurrent use.
type Hider struct{ quotes atomic.Pointer[Quoting] }

// HideQuotes hides from now on what quotes finds.
func (h *Hider) HideQuotes(quotes Quoting) { h.quotes.Store(&quotes) }

// Told returns an event of the OTP as it is told: a carrier's failure code that
// quotes becomes delivery.HiddenCode (callback events §6).
func (h *Hider) Told(of Record, e otp.Event) otp.Event {
	quotes := h.quotes.Load()
	if quotes == nil || e.Failure == nil || e.Failure.Area != delivery.AreaCarrier || !(*quotes)(of, e.Failure.Code) {
		return e
	}
	hidden := *e.Failure
	hidden.Code = delivery.HiddenCode
	e.Failure = &hidden
	return e
}
