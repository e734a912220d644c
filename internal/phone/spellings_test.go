package phone_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/phone"
)

// anyNumber draws a valid number of one of the countries, in E.164 form: of one
// of the types if the country has it.
func anyNumber(t *rapid.T, countries []string, types ...phonenumbers.PhoneNumberType) (e164, country string) {
	type drawn struct{ e164, country string }
	d := rapid.Custom(func(t *rapid.T) drawn {
		country := rapid.SampledFrom(countries).Draw(t, "country")
		example := phonenumbers.GetExampleNumberForType(country, rapid.SampledFrom(types).Draw(t, "type"))
		if example == nil {
			example = phonenumbers.GetExampleNumber(country)
		}
		e164 := phonenumbers.Format(example, phonenumbers.E164)
		changed := e164[:len(e164)-2] + rapid.StringMatching(`[0-9]{2}`).Draw(t, "last digits")
		if p, err := phonenumbers.Parse(changed, ""); err == nil && phonenumbers.IsValidNumber(p) {
			e164 = changed
		}
		return drawn{e164, country}
	}).Filter(func(d drawn) bool { return len(d.e164) >= 8 }).Draw(t, "number") // others are too short for the world
	return d.e164, d.country
}

func supportedCountries() []string {
	return slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions()))
}

// spelled scatters separators among the digits.
func spelled(t *rapid.T, digits string) string {
	separators := rapid.SampledFrom([]string{"", "", "", " ", "-", ".", "/", "(", ")", " - "})
	var b strings.Builder
	for i := range len(digits) {
		b.WriteByte(digits[i])
		b.WriteString(separators.Draw(t, "separator"))
	}
	return b.String()
}

// reader is one of the ways to make a number of an input.
type reader struct {
	name string
	read func(string) (phone.Number, error)
}

func TestEverySpellingOfANumberHasTheKeyOfTheNumberThatIsSent(t *testing.T) {
	t.Parallel()
	countries := supportedCountries()
	rapid.Check(t, func(t *rapid.T) {
		e164, country := anyNumber(t, countries, phonenumbers.MOBILE, phonenumbers.FIXED_LINE, phonenumbers.TOLL_FREE, phonenumbers.VOIP)
		prefix := rapid.SampledFrom([]string{"+", "00", "", " +", "(+"}).Draw(t, "prefix")
		input := prefix + spelled(t, e164[1:])
		readers := []reader{
			{"Syntax", phone.Syntax},
			{"Resolve", func(s string) (phone.Number, error) { return phone.Resolve(s, "") }},
			{"ResolveWithDefault", func(s string) (phone.Number, error) { return phone.ResolveWithDefault(s, country) }},
		}
		// Bare digits could be national ones, and not every place is in ISO 3166-1.
		if prefix != "" && !slices.Contains([]string{"AC", "TA", "XK"}, country) {
			readers = append(readers, reader{"Resolve with country", func(s string) (phone.Number, error) {
				return phone.Resolve(s, country)
			}})
		}
		for _, r := range readers {
			sameKey(t, r, input, e164)
		}
	})
}

func TestEveryNationalSpellingHasTheKeyOfTheNumberThatIsSent(t *testing.T) {
	t.Parallel()
	countries := []string{"AU", "DE", "FR", "GB", "NL", "SE", "ZA"} // trunk prefix 0, calling code of two digits
	rapid.Check(t, func(t *rapid.T) {
		e164, country := anyNumber(t, countries, phonenumbers.MOBILE, phonenumbers.FIXED_LINE)
		code := e164[1:3]
		national := e164[3:]
		resolve := reader{"Resolve", func(s string) (phone.Number, error) { return phone.Resolve(s, country) }}
		lenient := reader{"ResolveWithDefault", func(s string) (phone.Number, error) {
			return phone.ResolveWithDefault(s, country)
		}}
		sameKey(t, resolve, spelled(t, "0"+national), e164)
		sameKey(t, lenient, spelled(t, "0"+national), e164)
		for _, zeros := range []string{"(0)", "0"} { // written after the calling code
			sameKey(t, resolve, "+"+code+zeros+spelled(t, national), e164)
			sameKey(t, lenient, "+"+code+zeros+spelled(t, national), e164)
		}
	})
}

func sameKey(t *rapid.T, r reader, input, e164 string) {
	n, err := r.read(input)
	if err != nil {
		t.Fatalf("%s(%q) = %v, want %s", r.name, input, err, e164)
	}
	if to := n.Recipient(); to.Key() != e164 || to.Reveal() != e164 || n.Reveal() != e164 {
		t.Fatalf("%s(%q): limits count %q, carriers get %q; want %s for both", r.name, input, to.Key(), n.Reveal(), e164)
	}
}

func TestEveryCapitalisationOfAnAddressHasTheKeyOfTheAddressThatIsSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringMatching(`[a-z0-9+_-]{1,20}@[a-z0-9]{1,10}\.[a-z]{2,6}`).Draw(t, "address")
		input := []byte(want)
		for i, c := range input {
			if 'a' <= c && c <= 'z' && rapid.Bool().Draw(t, "upper") {
				input[i] = c - 'a' + 'A'
			}
		}
		a, err := phone.ParseAddress(string(input))
		if to := a.Recipient(); err != nil || to.Key() != want || to.Reveal() != want {
			t.Fatalf("ParseAddress(%q): key %q, sent to %q, %v; want %s", input, to.Key(), to.Reveal(), err, want)
		}
	})
}
