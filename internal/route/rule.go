package route

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Rule says which carriers serve whom.
type Rule struct {
	// Source says where the rule stands, for people: "countersign.toml:14".
	Source   string
	Channels []message.Channel
	// Prefixes are beginnings of international numbers: "+49", "+49171".
	Prefixes []string
	// Countries are ISO 3166-1 alpha-2 codes in upper case. With no prefix and no
	// country the rule is for everybody.
	Countries []string
	Choices   []Choice // in the order in which they are tried
}

// Choice is one carrier of a rule.
type Choice struct {
	Carrier string
	// Weight says how often the carrier is the first to be tried, in relation to
	// the sum of the rule's weights. 0: only after another one. If all are 0 the
	// first of the list always is.
	Weight int
}

// The ways in which a rule can be wrong.
var (
	ErrPrefix  = errors.New("is no prefix of international numbers; expected + and 1 to 15 digits, such as +49")
	ErrCountry = errors.New("is no country with phone numbers of its own; expected an ISO 3166-1 code such as DE")
)

// MaxWeight bounds a Choice's weight.
const MaxWeight = 1000

var prefixForm = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// CheckPrefix returns ErrPrefix for what is no prefix.
func CheckPrefix(text string) error {
	if !prefixForm.MatchString(text) {
		return ErrPrefix
	}
	return nil
}

// CheckCountry returns ErrCountry for what is no country's code in upper case.
func CheckCountry(code string) error {
	if _, err := phone.CallingCode(code); err != nil || code != strings.ToUpper(code) {
		return ErrCountry
	}
	return nil
}

// condition is one way in which a rule fits.
type condition struct {
	rule    *compiled
	prefix  string // "" for none
	country string // "" for none
	// reach is how specific it is: two for each digit that it names, one more for
	// a country.
	reach int
}

// String says the condition to people.
func (c condition) String() string {
	switch {
	case c.prefix != "":
		return "prefix " + c.prefix
	case c.country != "":
		return "country " + c.country
	}
	return "everybody"
}

func conditions(r *compiled) []condition {
	var out []condition
	for _, p := range r.Prefixes {
		out = append(out, condition{rule: r, prefix: p, reach: 2 * (len(p) - 1)})
	}
	for _, iso := range r.Countries {
		code, err := phone.CallingCode(iso)
		if err != nil {
			continue // it fits nobody
		}
		out = append(out, condition{rule: r, country: iso, reach: 2*len(strconv.Itoa(code)) + 1})
	}
	if len(r.Prefixes)+len(r.Countries) == 0 {
		out = append(out, condition{rule: r})
	}
	return out
}

// number is a recipient's, its country looked up once and only if it is asked
// for.
type number struct {
	to        phone.Recipient
	countries *phone.Countries
	asked     bool
	country   string
}

func (n *number) fits(c condition) bool {
	if c.prefix == "" && c.country == "" {
		return true
	}
	e164, ok := n.to.Number()
	if !ok {
		return false
	}
	if c.prefix != "" {
		return strings.HasPrefix(e164.Reveal(), c.prefix)
	}
	if !n.asked {
		n.asked, n.country = true, n.countries.Of(n.to)
	}
	return n.country == c.country
}

// precede orders conditions, the one that decides first; equals keep their
// order.
func precede(all []condition) {
	slices.SortStableFunc(all, func(a, b condition) int { return b.reach - a.reach })
}
