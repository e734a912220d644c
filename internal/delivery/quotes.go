package delivery

import (
	"slices"
	"strings"
	"unicode"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

const (
	// telling is how many of a number's last digits tell whose it is.
	telling = 7
	// tellingName is how many letters and digits of an e-mail address before the
	// @ do.
	tellingName = 3
)

// Quotes reports whether text, which a carrier chose, holds the number or address
// or what holdsCode finds; with other signs between its letters and digits too.
func Quotes(text string, to phone.Recipient, holdsCode func(text string) bool) bool {
	bare := joined(text)
	return bareQuotes(bare, to) || holdsCode(text) || bare != text && holdsCode(bare)
}

// Quotes reports whether text, which a carrier chose, holds the message's code in
// any letter case, or its number or address (P-02).
func (m Message) Quotes(text string) bool {
	code := strings.ToLower(m.Code.Reveal())
	bare := joined(code)
	return Quotes(text, m.Recipient, func(text string) bool {
		text = strings.ToLower(text)
		return code != "" && strings.Contains(text, code) || bare != "" && strings.Contains(text, bare)
	})
}

// joined returns the letters and digits of a text.
func joined(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}

// QuotesRecipient is Quotes without a code.
func QuotesRecipient(text string, to phone.Recipient) bool { return bareQuotes(joined(text), to) }

// bareQuotes is QuotesRecipient of a joined text.
func bareQuotes(bare string, to phone.Recipient) bool {
	if name, host, isAddress := strings.Cut(to.Reveal(), "@"); isAddress { // in lower case
		bare, name, host = strings.ToLower(bare), joined(name), joined(host)
		return strings.Contains(bare, name+host) || len(name) >= tellingName && strings.Contains(bare, name)
	}
	number := strings.TrimPrefix(to.Reveal(), "+")
	return number != "" && strings.Contains(bare, number[max(0, len(number)-telling):])
}

// hide is why with HiddenCode in place of a carrier's code that quotes finds. What
// else a Failure holds is this server's own.
func hide(why otp.Failure, quotes func(text string) bool) otp.Failure {
	if why.Area == AreaCarrier && why.Code != "" && quotes(why.Code) {
		why.Code = HiddenCode
	}
	return why
}

// Hide returns the receipt without what quotes finds in its failure's code.
func (r Receipt) Hide(quotes func(text string) bool) Receipt {
	r.Failure = hide(r.Failure, quotes)
	return r
}

// Hide returns the result without what quotes finds in the codes of its failure
// and of its receipt's.
func (r Result) Hide(quotes func(text string) bool) Result {
	r.Failure = hide(r.Failure, quotes)
	if r.Receipt != nil {
		held := r.Receipt.Hide(quotes)
		r.Receipt = &held
	}
	return r
}

// Hide returns the outcome without what quotes finds in the codes of its failures.
func (o *SubmitOutcome) Hide(quotes func(text string) bool) SubmitOutcome {
	hidden := *o
	hidden.Result = o.Result.Hide(quotes)
	hidden.Tries = slices.Clone(o.Tries)
	for i := range hidden.Tries {
		t := &hidden.Tries[i]
		t.Failure = hide(t.Failure, quotes)
	}
	return hidden
}
