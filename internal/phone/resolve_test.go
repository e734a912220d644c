package phone_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/phone"
)

func TestResolveReadsPossibleNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, input, country, want string }{
		{"V1-01 E.164", "+447400123456", "", "+447400123456"},
		{"V1-06 a blank for the plus", " 447400123456", "", "+447400123456"},
		{"V1-07 international prefix", "00447400123456", "", "+447400123456"},
		{"V1-08 bare, a length only dialled locally", "4412312313", "", "+4412312313"},
		{"V1-10 national, country in lower case", "07400123456", "gb", "+447400123456"},
		{"V1-13 national of North America", "2025550123", "US", "+12025550123"},
		{"V1-13 mobile that lost its zero", "15123456789", "DE", "+4915123456789"},
		{"V1-13 number for fiction", "07700900123", "GB", "+447700900123"},
		{"V1-15 fixed line", "+442079460123", "", "+442079460123"},
		{"V1-56", "+4915123456789", "", "+4915123456789"},
		{"separators", "+44 (0) 7400-123.456/", "", "+447400123456"},
		{"a blank before a plus", " +447400123456", "", "+447400123456"},
		{"a blank before 00", " 00447400123456", "", "+447400123456"},
		{"international with its own country", "+447400123456", "GB", "+447400123456"},
		{"international, same plan, other country", "+447911123456", "GG", "+447911123456"},
		{"bare international with its own country", "447400123456", "GB", "+447400123456"},
		{"trunk zero after the calling code", "+4407400123456", "", "+447400123456"},
		{"two trunk zeros", "+490015123456789", "", "+4915123456789"},
		{"Italian zeros belong to the number", "06 6982 1234", "IT", "+390669821234"},
		{"an Argentine mobile as it is dialled there", "011 15 2345-6789", "AR", "+5491123456789"},
		{"toll-free, of no country", "+80012345678", "", "+80012345678"},
		{"national with a foreign look, but with its zero", "0447400123456", "DE", "+49447400123456"},
		{"national, a length only dialled locally", "012312313", "GB", "+4412312313"},
		{"the same without its zero", "12312313", "GB", "+4412312313"},
		{"national, shorter than any with its zero", "08199172", "NG", "+2348199172"},
		{"what begins like an international prefix of that country", "0101258793", "JP", "+81101258793"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := phone.Resolve(c.input, c.country)
			if err != nil || n.Reveal() != c.want {
				t.Errorf("Resolve(%q, %q) = %q, %v; want %q", c.input, c.country, n.Reveal(), err, c.want)
			}
		})
	}
}

func TestResolveRefusesWithAReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input, country string
		want                 error
	}{
		{"V1-09 national without country", "07400123456", "", phone.ErrNotANumber},
		{"V1-11 plus, other country", "+447400123456", "DE", phone.ErrCountryMismatch},
		{"V1-12 mobile of a stranger", "447400123456", "DE", phone.ErrCountryMismatch},
		{"00, other country", "00447400123456", "DE", phone.ErrCountryMismatch},
		{"blank for the plus, other country", " 447400123456", "DE", phone.ErrCountryMismatch},
		{"empty", "", "", phone.ErrNotANumber},
		{"only separators", " -()", "GB", phone.ErrNotANumber},
		{"letters", "0800FLOWERS", "GB", phone.ErrNotANumber},
		{"two pluses", "++447400123456", "", phone.ErrNotANumber},
		{"no such calling code", "+99912345678", "", phone.ErrUnknownCallingCode},
		{"no such calling code is no number", "+99912345678", "", phone.ErrNotANumber},
		{"too short for the world", "+47123", "", phone.ErrNotANumber},
		{"too short for its country", "+447400", "", phone.ErrNotANumber},
		{"too long for its country", "+4474001234567", "", phone.ErrNotANumber},
		{"too long for anybody", "+4474001234567890", "", phone.ErrNotANumber},
		{"a trunk zero too many to be honest", "+4900000015112345", "", phone.ErrNotANumber},
		{"an international prefix of that country, to itself", "01112025550123", "US", phone.ErrNotANumber},
		{"no length of that country without its zero", "02212322", "BE", phone.ErrNotANumber},
		{"a country that is none", "+447400123456", "UK", phone.ErrUnknownCountry},
		{"a place that ISO 3166-1 has no code for", "+38343201234", "XK", phone.ErrUnknownCountry},
		{"an island that ISO 3166-1 only reserves a code for", "+24762889", "ac", phone.ErrUnknownCountry},
		{"a letter that is one of ASCII in upper case only", "+34612345678", "e\u017f", phone.ErrUnknownCountry},
		{"a country in words", "07400123456", "Germany", phone.ErrUnknownCountry},
		{"the world is no country", "07400123456", "001", phone.ErrUnknownCountry},
		{"an international prefix of that country", "01144740012345", "US", phone.ErrNotANumber},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := phone.Resolve(c.input, c.country)
			if !errors.Is(err, c.want) || !n.IsZero() {
				t.Errorf("Resolve(%q, %q) = %q, %v; want %v", c.input, c.country, n.Reveal(), err, c.want)
			}
		})
	}
}

func TestResolveWithDefaultReadsLeniently(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, input, country, want string }{
		{"O-01", "+33612345678", "", "+33612345678"},
		{"O-19 digits", "33612345678", "", "+33612345678"},
		{"O-19 separators", "0033 6 12-34.56.78", "", "+33612345678"},
		{"anything but digits is dropped", "phone: (+33) 6·12_34 56 78!", "", "+33612345678"},
		{"a plus inside is dropped", "33+612345678", "", "+33612345678"},
		{"national with a default country", "06 12 34 56 78", "FR", "+33612345678"},
		{"default country in lower case", "0612345678", "fr", "+33612345678"},
		{"international in spite of a default country", "491511234567", "FR", "+491511234567"},
		{"00 in spite of a default country", "0033612345678", "DE", "+33612345678"},
		{"trunk zero after the calling code", "+33 (0)6 12 34 56 78", "", "+33612345678"},
		{"national, a length only dialled locally", "012312313", "GB", "+4412312313"},
		{"national where ISO 3166-1 has no code", "043 201 234", "XK", "+38343201234"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := phone.ResolveWithDefault(c.input, c.country)
			if err != nil || n.Reveal() != c.want {
				t.Errorf("ResolveWithDefault(%q, %q) = %q, %v; want %q", c.input, c.country, n.Reveal(), err, c.want)
			}
		})
	}
}

func TestResolveWithDefaultRefusesWithAReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input, country string
		want                 error
		unknownCode          bool // is it ErrUnknownCallingCode as well?
	}{
		{"O-20 no digits", "abc", "", phone.ErrNotANumber, false},
		{"O-20 no such calling code", "+99912345678", "", phone.ErrUnknownCallingCode, true},
		{"empty", "", "", phone.ErrNotANumber, false},
		{"too short", "+33612", "", phone.ErrNotANumber, false},
		{"too long for its country", "+336123456789", "", phone.ErrNotANumber, false},
		{"too long for anybody", "336123456783361234567833612345678", "", phone.ErrNotANumber, false},
		{"national without default country", "0612345678", "", phone.ErrUnknownCallingCode, true},
		{"national, not possible", "061234567890", "FR", phone.ErrNotANumber, false},
		{"national, bad default country", "0612345678", "XX", phone.ErrUnknownCountry, false},
		{"digits of another script", "3361234567٨8", "", phone.ErrNotANumber, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := phone.ResolveWithDefault(c.input, c.country)
			if !errors.Is(err, c.want) || !n.IsZero() {
				t.Errorf("ResolveWithDefault(%q, %q) = %q, %v; want %v", c.input, c.country, n.Reveal(), err, c.want)
			}
			if got := errors.Is(err, phone.ErrUnknownCallingCode); got != c.unknownCode {
				t.Errorf("ResolveWithDefault(%q, %q) is ErrUnknownCallingCode: %v, want %v", c.input, c.country, got, c.unknownCode)
			}
		})
	}
}

func TestAPanicOfTheNumberLibraryIsNotANumber(t *testing.T) {
	t.Parallel()
	n, err := phone.Guarded(func() (phone.Number, error) { panic("index out of range") })
	if !errors.Is(err, phone.ErrNotANumber) || !n.IsZero() {
		t.Errorf("after a panic: %v, %v; want ErrNotANumber", n, err)
	}
}

func BenchmarkResolve(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := phone.Resolve("+447400123456", ""); err != nil {
			b.Fatal(err)
		}
	}
}
