package verify

import (
	"strings"
	"sync/atomic"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

const (
	// telling is how many of a number's last digits tell whose it is.
	telling = 7
	// tellingName is how many characters of an e-mail address before the @ do.
	tellingName = 3
)

// Quoting reports whether text, which a carrier chose, holds the OTP's code, or
// its number or address.
type Quoting func(of Record, text string) bool

// Quotes is the Quoting of OTPs whose codes keys hash. A code or number is found
// with separators in it too.
func Quotes(keys otp.Hasher) Quoting {
	return func(of Record, text string) bool {
		subject := otp.Subject{Account: of.Account, ID: of.ID}
		bare := joined(text)
		return quotesRecipient(of.Recipient.Reveal(), bare) ||
			otp.Quoted(keys, subject, of.OTP, text) || bare != text && otp.Quoted(keys, subject, of.OTP, bare)
	}
}

// joined is a text without what stands between groups of digits or words.
func joined(text string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace(text)
}

// quotesRecipient reports whether a joined text holds a number or address.
func quotesRecipient(recipient, text string) bool {
	if name, host, isAddress := strings.Cut(recipient, "@"); isAddress { // in lower case
		text = strings.ReplaceAll(strings.ToLower(text), "@", "")
		return strings.Contains(text, joined(name+host)) || len(name) >= tellingName && strings.Contains(text, joined(name))
	}
	number := strings.TrimPrefix(recipient, "+")
	return number != "" && strings.Contains(text, number[max(0, len(number)-telling):])
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
