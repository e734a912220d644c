package tyntecv4

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Texts of violations (contract v4 §3.3).
const (
	mustNotBeBlank = "must not be blank"
	mustNotBeNull  = "must not be null"
	mustBeUnique   = "must be unique"
	doesNotExist   = "does not exist"
)

// violation is one broken rule.
type violation struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// violations collects broken rules, so that an answer names all of them.
type violations struct{ all []violation }

func (v *violations) add(field, text string) { v.all = append(v.all, violation{field, text}) }

// err returns CV with the violations by field, then text; nil if there are none.
func (v *violations) err() error {
	if len(v.all) == 0 {
		return nil
	}
	slices.SortStableFunc(v.all, func(a, b violation) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
	return constraintViolation(v.all)
}

// rule says what is wrong with a text, "" if nothing is.
type rule func(string) string

// required applies rules to a string that must be there and not be blank; then
// nothing else is said about it. It returns the string.
func (v *violations) required(field string, text *string, rules ...rule) string {
	if text == nil || isBlank(*text) {
		v.add(field, mustNotBeBlank)
		return ""
	}
	return v.optional(field, text, rules...)
}

// named is optional for a string that may be absent but not blank.
func (v *violations) named(field string, text *string, rules ...rule) {
	if text != nil {
		v.required(field, text, rules...)
	}
}

// optional applies rules to a string that may be absent. It returns the string,
// "" if there is none.
func (v *violations) optional(field string, text *string, rules ...rule) string {
	if text == nil {
		return ""
	}
	for _, broken := range rules {
		if m := broken(*text); m != "" {
			v.add(field, m)
		}
	}
	return *text
}

// orBlank makes a string that create requires, where change does not, break the
// rule of being not blank when it is absent.
func orBlank(text *string) *string {
	if text == nil {
		return new(string)
	}
	return text
}

// number checks that an integer, if it is there, is between low and high.
func (v *violations) number(field string, n *int64, low, high int) {
	if n == nil {
		return
	}
	if m := between(*n, low, high); m != "" {
		v.add(field, m)
	}
}

// between says what is wrong with an integer outside low to high.
func between(n int64, low, high int) string {
	switch {
	case n < int64(low):
		return fmt.Sprintf("must be greater than or equal to %d", low)
	case n > int64(high):
		return fmt.Sprintf("must be less than or equal to %d", high)
	}
	return ""
}

// isBlank reports whether s is empty or white space only.
func isBlank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }

// size wants low to high characters.
func size(low, high int) rule {
	return func(s string) string {
		if n := utf8.RuneCountInString(s); n < low || n > high {
			return fmt.Sprintf("size must be between %d and %d", low, high)
		}
		return ""
	}
}

// sizeOf is size for a list.
func sizeOf(n, low, high int) string {
	if n < low || n > high {
		return fmt.Sprintf("size must be between %d and %d", low, high)
	}
	return ""
}

// matches wants a match of pattern, which is also what the violation shows.
func matches(pattern *regexp.Regexp) rule {
	return func(s string) string {
		if !pattern.MatchString(s) {
			return mustMatch(pattern.String())
		}
		return ""
	}
}

func mustMatch(pattern string) string { return `must match "` + pattern + `"` }

// oneOf wants one of values.
func oneOf(values ...string) rule {
	return func(s string) string {
		if !slices.Contains(values, s) {
			return mustBeOneOf(values...)
		}
		return ""
	}
}

func mustBeOneOf(values ...string) string { return "must be one of " + strings.Join(values, ", ") }

// holds wants a part.
func holds(part string) rule {
	return func(s string) string {
		if !strings.Contains(s, part) {
			return mustMatch(".*" + regexp.QuoteMeta(part) + ".*")
		}
		return ""
	}
}

// notBlank wants something besides white space.
func notBlank(s string) string {
	if isBlank(s) {
		return mustNotBeBlank
	}
	return ""
}

// noControl wants no control characters.
func noControl(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return mustMatch(`^\P{Cc}*$`)
	}
	return ""
}

// noNUL wants no character U+0000, which not every database can keep.
func noNUL(s string) string {
	if strings.ContainsRune(s, 0) {
		return mustMatch(`^[^\x00]*$`)
	}
	return ""
}

// noCapitals wants no capital letters A to Z.
func noCapitals(s string) string {
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'Z' {
			return mustMatch(`^[^A-Z]*$`)
		}
	}
	return ""
}

// number wants what can be read as a phone number.
func number(s string) string {
	_, broken := readNumber(s)
	return broken
}

// readNumber reads a phone number, or says what is wrong.
func readNumber(s string) (n phone.Number, broken string) {
	n, err := phone.Syntax(s)
	if err != nil {
		return phone.Number{}, mustMatch(`^\+\d{7,15}$`)
	}
	return n, ""
}

// language wants one of the 41 codes.
func language(s string) string { return oneOf(message.Languages()...)(s) }

// channel wants one of the channels of this API.
func channel(s string) string {
	return oneOf(string(message.SMS), string(message.Voice), string(message.WhatsApp), string(message.Viber))(s)
}

// uuidForm wants a UUID.
func uuidForm(s string) string {
	if _, ok := wire.CanonicalID(s); !ok {
		return mustMatch(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	}
	return ""
}
