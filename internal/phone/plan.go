package phone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// The ways in which a number that looks like one is refused.
var (
	// ErrUnknownCallingCode is an ErrNotANumber whose digits begin with no
	// calling code in use; errors.Is finds both.
	ErrUnknownCallingCode = fmt.Errorf("%w: unknown calling code", ErrNotANumber)
	// ErrCountryMismatch means that the number belongs to another country than
	// the one that was named.
	ErrCountryMismatch = errors.New("phone number of another country")
	// ErrUnknownCountry means that the country is not the ISO 3166-1 alpha-2
	// code of a country with phone numbers of its own.
	ErrUnknownCountry = errors.New("unknown country")
)

// maxRewrites bounds how often a number is read again because reading it
// dropped a trunk prefix. Honest numbers need one.
const maxRewrites = 4

// country is an ISO code that the number plans know, in upper case.
type country string

func lookUpCountry(code string) (country, error) {
	if len(code) != 2 { // before letters beyond ASCII are made into its own
		return "", ErrUnknownCountry
	}
	if code = strings.ToUpper(code); phonenumbers.GetCountryCodeForRegion(code) == 0 {
		return "", ErrUnknownCountry
	}
	return country(code), nil
}

// inISO reports whether the code is one of ISO 3166-1, and not one that is
// reserved or that users have assigned.
func (c country) inISO() bool { return c != "AC" && c != "TA" && c != "XK" }

func (c country) callingCode() int {
	return phonenumbers.GetCountryCodeForRegion(string(c))
}

// writesTrunkZero reports whether national numbers are written with a 0 that
// is not part of the number.
func (c country) writesTrunkZero() bool {
	return phonenumbers.GetNddPrefixForRegion(string(c), true) == "0"
}

// reading is one way to understand the digits of an input.
type reading struct {
	parsed *phonenumbers.PhoneNumber
	digits string // of the international number, without plus
}

// readInternational reads digits that begin with a calling code. A trunk prefix
// between calling code and number is dropped, until nothing changes any more:
// all spellings of a number give the same digits.
func readInternational(digits string) (reading, error) {
	for range maxRewrites {
		parsed, err := phonenumbers.Parse("+"+digits, "")
		switch {
		case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
			return reading{}, ErrUnknownCallingCode
		case err != nil:
			return reading{}, ErrNotANumber
		}
		e164 := phonenumbers.Format(parsed, phonenumbers.E164)
		if e164 == "+"+digits {
			return reading{parsed, digits}, nil
		}
		digits = strings.TrimPrefix(e164, "+")
	}
	return reading{}, ErrNotANumber
}

// readNational reads digits as a national number of c, with or without the
// trunk prefix.
func readNational(digits string, c country) (reading, error) {
	parsed, err := phonenumbers.ParseAndKeepRawInput(digits, string(c))
	switch {
	case err != nil,
		// Only 00 makes a number international, not what that country dials.
		parsed.GetCountryCodeSource() == phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD,
		// The library leaves the trunk zero where the rest is short.
		parsed.GetItalianLeadingZero() && c.writesTrunkZero():
		if c.writesTrunkZero() {
			digits = strings.TrimPrefix(digits, "0")
		}
		return readInternational(strconv.Itoa(c.callingCode()) + digits)
	case int(parsed.GetCountryCode()) != c.callingCode():
		return reading{}, ErrNotANumber
	}
	return readInternational(strings.TrimPrefix(phonenumbers.Format(parsed, phonenumbers.E164), "+"))
}

func (r reading) callingCode() int { return int(r.parsed.GetCountryCode()) }

// possible reports whether the number has a length that occurs in its country,
// lengths that are only dialled locally included, within 7 and 15 digits.
func (r reading) possible() bool {
	if r.parsed == nil || len(r.digits) < minDigits || len(r.digits) > maxDigits {
		return false
	}
	switch phonenumbers.IsPossibleNumberWithReason(r.parsed) {
	case phonenumbers.IS_POSSIBLE, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return true
	default:
		return false
	}
}

// line returns the type of the number; UnknownLine if it is not valid.
func (r reading) line() Line {
	if r.parsed == nil {
		return UnknownLine
	}
	return lineOf(phonenumbers.GetNumberType(r.parsed))
}

// valid reports whether the number plan has the number.
func (r reading) valid() bool { return r.possible() && r.line() != UnknownLine }

// number returns the number if it is possible.
func (r reading) number() (Number, error) {
	if !r.possible() {
		return Number{}, ErrNotANumber
	}
	return FromE164("+" + r.digits)
}

// guarded calls f and turns a panic of the number library into ErrNotANumber:
// it has had inputs that crash it (nyaruka/phonenumbers 148).
func guarded(f func() (Number, error)) (n Number, err error) {
	defer func() {
		if recover() != nil {
			n, err = Number{}, ErrNotANumber
		}
	}()
	return f()
}
