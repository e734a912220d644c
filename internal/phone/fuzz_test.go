package phone_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/phone"
)

var e164Form = regexp.MustCompile(`^\+[0-9]{7,15}$`)

// slowSyntax is the rule of contract v4 §6.1.2 word by word.
func slowSyntax(s string) (string, bool) {
	s = strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(s)
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	if !strings.HasPrefix(s, "+") {
		s = "+" + s
	}
	return s, e164Form.MatchString(s)
}

func FuzzSyntax(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		n, err := phone.Syntax(s)
		want, ok := slowSyntax(s)
		if (err == nil) != ok || ok && n.Reveal() != want {
			t.Fatalf("Syntax(%q) = %q, %v; want %q, %v", s, n.Reveal(), err, want, ok)
		}
		if err != nil {
			return
		}
		again, err := phone.FromE164(n.Reveal())
		if err != nil || again != n {
			t.Errorf("FromE164(%q) = %q, %v; want it back", n.Reveal(), again.Reveal(), err)
		}
		n.Info() // must not panic for a number that does not exist
	})
}

func FuzzResolve(f *testing.F) {
	f.Fuzz(func(t *testing.T, input, country string) {
		n, err := phone.Resolve(input, country)
		stable(t, n, err)
		n, err = phone.ResolveWithDefault(input, country)
		stable(t, n, err)
		phone.MainLanguage(country)
	})
}

// stable checks a result of the readers that know number plans: reading what
// they made gives the same again.
func stable(t *testing.T, n phone.Number, err error) {
	t.Helper()
	if err != nil {
		if !n.IsZero() {
			t.Errorf("%q beside the error %v", n.Reveal(), err)
		}
		for _, want := range []error{phone.ErrNotANumber, phone.ErrUnknownCountry, phone.ErrCountryMismatch} {
			if errors.Is(err, want) {
				return
			}
		}
		t.Errorf("error of no known kind: %v", err)
		return
	}
	if !e164Form.MatchString(n.Reveal()) || !n.CanExist() || n.Info().CallingCode == 0 {
		t.Errorf("%q is no possible number", n.Reveal())
	}
	for name, read := range map[string]func(string) (phone.Number, error){
		"Syntax":             phone.Syntax,
		"Resolve":            func(s string) (phone.Number, error) { return phone.Resolve(s, "") },
		"ResolveWithDefault": func(s string) (phone.Number, error) { return phone.ResolveWithDefault(s, "") },
	} {
		if again, err := read(n.Reveal()); err != nil || again != n {
			t.Errorf("%s(%q) = %q, %v; want it back", name, n.Reveal(), again.Reveal(), err)
		}
	}
}

func FuzzParseRecipient(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := phone.ParseRecipient(s); err == nil && r.Reveal() != s {
			t.Errorf("ParseRecipient(%q) = %q, want it back", s, r.Reveal())
		}
		a, err := phone.ParseAddress(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(a.Reveal(), " \r\n\x00<>\"") || strings.Count(a.Reveal(), "@") != 1 {
			t.Errorf("ParseAddress(%q) = %q", s, a.Reveal())
		}
		if r, err := phone.ParseRecipient(a.Reveal()); err != nil || r != a.Recipient() {
			t.Errorf("ParseRecipient(%q) = %q, %v; want it back", a.Reveal(), r.Reveal(), err)
		}
	})
}
