package phone

import "strings"

// Resolve reads a possible number: a known calling code and a length that
// occurs in its country, but not necessarily an assigned number (contract v1
// §2.6). Blanks and - . ( ) / are dropped. A leading blank stands for a plus
// that was not percent-encoded. With a plus or 00 the number is international;
// bare digits are international too unless country, an ISO 3166-1 alpha-2 code
// in any case, is given: then they are the best of the national and the
// international reading. With country "" bare digits must not begin with 0.
//
// It returns ErrNotANumber, ErrUnknownCallingCode (which is one), ErrUnknownCountry,
// or ErrCountryMismatch if the number is not of the country given or, written
// without trunk prefix, is rather a mobile number of another one.
func Resolve(input, country string) (Number, error) {
	return guarded(func() (Number, error) { return resolve(input, country) })
}

func resolve(input, code string) (Number, error) {
	w, ok := strip(input)
	if !ok || w.length == 0 {
		return Number{}, ErrNotANumber
	}
	w.dropInternationalPrefix()
	w.plus = w.plus || strings.HasPrefix(input, " ")

	if code == "" {
		r, err := readInternational(w.text())
		if err != nil {
			return Number{}, err
		}
		return r.number()
	}
	c, err := lookUpCountry(code)
	if err != nil {
		return Number{}, err
	}
	if !c.inISO() {
		return Number{}, ErrUnknownCountry
	}
	if !w.plus {
		return resolveBare(w.text(), c)
	}
	r, err := readInternational(w.text())
	if err != nil {
		return Number{}, err
	}
	if r.callingCode() != c.callingCode() {
		return Number{}, ErrCountryMismatch
	}
	return r.number()
}

// resolveBare decides between the national and the international reading of
// digits that come with a country.
func resolveBare(digits string, c country) (Number, error) {
	abroad, err := readInternational(digits)
	if err != nil {
		abroad = reading{}
	}
	var international reading // counts only if it is of this country
	if abroad.parsed != nil && abroad.callingCode() == c.callingCode() {
		international = abroad
	}
	if international.valid() {
		return international.number()
	}
	national, err := readNational(digits, c)
	if err != nil {
		national = reading{}
	}
	nationalValid := national.valid()
	if !nationalValid && international.possible() {
		return international.number()
	}
	if !national.possible() {
		return Number{}, ErrNotANumber
	}
	if c.writesTrunkZero() && digits[0] != '0' && national.line() != Mobile && strangersMobile(abroad, c) {
		return Number{}, ErrCountryMismatch
	}
	return national.number()
}

// strangersMobile reports whether r is a valid mobile number of another country.
func strangersMobile(r reading, c country) bool {
	return r.possible() && r.callingCode() != c.callingCode() && r.line() == Mobile
}

// ResolveWithDefault reads a possible number as leniently as can be (Octopush
// OTP §2.2): everything but ASCII digits and a plus before them is dropped, a
// leading 00 is a plus, and digits without either are international, unless
// they begin with a single 0 and defaultCountry, an ISO 3166-1 alpha-2 code, is
// not "": then they are national there.
//
// It returns ErrUnknownCallingCode, ErrUnknownCountry if defaultCountry is
// needed and is no country, and otherwise ErrNotANumber, also for digits beyond
// ASCII: to drop those silently would make another number of it.
func ResolveWithDefault(input, defaultCountry string) (Number, error) {
	return guarded(func() (Number, error) { return resolveWithDefault(input, defaultCountry) })
}

func resolveWithDefault(input, defaultCountry string) (Number, error) {
	w, ok := scrape(input)
	if !ok || w.length == 0 {
		return Number{}, ErrNotANumber
	}
	w.dropInternationalPrefix()
	if w.plus || !w.startsWith("0") || defaultCountry == "" {
		r, err := readInternational(w.text())
		if err != nil {
			return Number{}, err
		}
		return r.number()
	}
	c, err := lookUpCountry(defaultCountry)
	if err != nil {
		return Number{}, err
	}
	r, err := readNational(w.text(), c)
	if err != nil {
		return Number{}, err
	}
	return r.number()
}
