package verify

import (
	"sync/atomic"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// Quoting reports whether text, which a carrier chose, holds the OTP's code, or
// its number or address.
type Quoting func(of Record, text string) bool

// Quotes is the Quoting of OTPs whose codes keys hash. A code or number is found
// with separators in it too.
func Quotes(keys otp.Hasher) Quoting {
	return func(of Record, text string) bool {
		subject := otp.Subject{Account: of.Account, ID: of.ID}
		return delivery.Quotes(text, of.Recipient, func(text string) bool {
			return otp.Quoted(keys, subject, of.OTP, text)
		})
	}
}

// Hider hides in what is kept and told of OTPs' deliveries what a Quoting finds;
// stores embed it. The zero value hides nothing. It is safe for concurrent use.
type Hider struct{ quotes atomic.Pointer[Quoting] }

// HideQuotes hides from now on what quotes finds.
func (h *Hider) HideQuotes(quotes Quoting) { h.quotes.Store(&quotes) }

// HideInOutcome returns an outcome of the OTP as it is kept and told: a carrier's
// failure code that quotes becomes delivery.HiddenCode (callback events §6). That
// of an OTP with a binding is left as the dispatcher gives it, which knows the code
// and has hidden it: here every word as long as the code would have to be.
func (h *Hider) HideInOutcome(of Record, o delivery.SubmitOutcome) delivery.SubmitOutcome {
	if of.Rule.Bound {
		return o
	}
	return o.Hide(h.of(of))
}

// HideInReceipt is HideInOutcome for a receipt, with a binding too: nobody knows
// the code when it comes.
func (h *Hider) HideInReceipt(of Record, r delivery.Receipt) delivery.Receipt {
	return r.Hide(h.of(of))
}

// of is what the OTP's Quoting finds.
func (h *Hider) of(of Record) func(text string) bool {
	return func(text string) bool {
		quotes := h.quotes.Load()
		return quotes != nil && (*quotes)(of, text)
	}
}
