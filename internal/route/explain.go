package route

import (
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Verdict is what became of one way in which a rule fits.
type Verdict struct {
	Source    string // of the rule
	Condition string // "prefix +49", "country DE" or "everybody"
	Fits      bool
	Decides   bool // it fits and nothing more specific does
}

// Explanation says who would carry a message, and why.
type Explanation struct {
	// Country is the recipient's, "" if it is not known or was not asked for.
	Country string
	// Choices are the deciding rule's, in the order in which it lists them; none
	// if no rule fits.
	Choices []Choice
	// Verdicts are those on every rule of the channel, the most specific first.
	Verdicts []Verdict
}

// Weighted reports whether weights choose the first carrier.
func (e Explanation) Weighted() bool {
	for _, c := range e.Choices {
		if c.Weight > 0 {
			return true
		}
	}
	return false
}

// Explain says who would carry a message on channel to a recipient.
func (t *Table) Explain(channel message.Channel, to phone.Recipient) Explanation {
	n := number{to: to, countries: &t.countries}
	var e Explanation
	decided := false
	for _, c := range t.byChannel[channel] {
		v := Verdict{Source: c.rule.Source, Condition: c.String(), Fits: n.fits(c)}
		if v.Fits && !decided {
			decided, v.Decides, e.Choices = true, true, c.rule.Choices
		}
		e.Verdicts = append(e.Verdicts, v)
	}
	e.Country = n.country
	return e
}
