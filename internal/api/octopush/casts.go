package octopush

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
)

// cast makes one spelling of the many that a value may have, the one that
// account settings have too; false for a value that is to be ignored (Octopush
// OTP §2.1).
type cast func(wire.Value) (string, bool)

// str takes strings, and numbers as their exact decimal digits: as they are
// written, if that is without exponent. An empty string is none.
func str(v wire.Value) (string, bool) {
	switch v.Kind {
	case wire.String:
		return v.Text, v.Text != ""
	case wire.Number:
		if !strings.ContainsAny(v.Text, "eE") {
			return v.Text, true
		}
		return plain(v)
	case wire.Null, wire.Bool, wire.Array, wire.Object:
	}
	return "", false
}

// plain is str with numbers in one spelling: 7.0 is 7.
func plain(v wire.Value) (string, bool) {
	if v.Kind != wire.Number {
		return str(v)
	}
	d, ok := wire.ParseDecimal(v.Text)
	if !ok {
		return "", false
	}
	return d.Plain()
}

// trimmed is plain without outer blanks, for phone numbers and codes: with
// the zero of a fraction they would be others.
func trimmed(v wire.Value) (string, bool) {
	text, ok := plain(v)
	text = strings.TrimSpace(text)
	return text, ok && text != ""
}

// printable is str without U+0000, which no message can carry.
func printable(v wire.Value) (string, bool) {
	text, ok := str(v)
	text = strings.ReplaceAll(text, "\x00", "")
	return text, ok && text != ""
}

// integer takes numbers and texts of numbers, drops the fraction, ignores what
// is less than 1 and moves the rest to low to high.
func integer(low, high int64) cast {
	return func(v wire.Value) (string, bool) {
		if v.Kind != wire.Number && v.Kind != wire.String {
			return "", false
		}
		d, ok := wire.ParseDecimal(strings.TrimSpace(v.Text))
		if !ok {
			return "", false
		}
		n, ok := d.Integer()
		if !ok || n < 1 {
			return "", false
		}
		return strconv.FormatInt(min(max(n, low), high), 10), true
	}
}

// Booleans as settings write them.
const yes, no = "true", "false"

// boolean takes booleans, 1 and 0, and the words for them in any case.
func boolean(v wire.Value) (string, bool) {
	text, ok := v.Text, v.Kind == wire.Bool
	if !ok {
		text, ok = trimmed(v)
	}
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return yes, ok
	case "false", "0", "no", "off":
		return no, ok
	}
	return "", false
}

// alias is another word for a value.
type alias struct{ word, value string }

// oneOf takes strings that are one of values or aliases in any case, with _ for
// - or the other way round.
func oneOf(values []string, aliases ...alias) cast {
	words := map[string]string{}
	for _, a := range aliases {
		if _, taken := words[fold(a.word)]; !taken {
			words[fold(a.word)] = a.value
		}
	}
	for _, v := range values {
		words[fold(v)] = v
	}
	return func(v wire.Value) (string, bool) {
		if v.Kind != wire.String {
			return "", false
		}
		value, ok := words[fold(strings.TrimSpace(v.Text))]
		return value, ok
	}
}

func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "_", "-") }

// bare makes the bare language of each language tag an alias of the first tag
// that has it.
func bare(tags []string) []alias {
	aliases := make([]alias, len(tags))
	for i, tag := range tags {
		language, _, _ := strings.Cut(tag, "-")
		aliases[i] = alias{language, tag}
	}
	return aliases
}

// Characters of a sender.
const minSender, maxSender = 3, 11

// sender drops all but letters and digits of ASCII, and what is too long.
func sender(v wire.Value) (string, bool) {
	text, _ := str(v)
	text = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, text)
	return text[:min(len(text), maxSender)], len(text) >= minSender
}

// address takes IPv4 and IPv6 addresses and spells each in one way. The
// unspecified ones are none.
func address(v wire.Value) (string, bool) {
	text, _ := trimmed(v)
	a, err := netip.ParseAddr(text)
	if err != nil {
		return "", false
	}
	a = a.Unmap().WithZone("")
	return a.String(), !a.IsUnspecified()
}
