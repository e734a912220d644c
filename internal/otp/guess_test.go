package otp_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/otp"
)

// hasher hashes under keys named by their number, the first one current.
type hasher []otp.KeyID

func (h hasher) Current() otp.KeyID { return h[0] }
func (h hasher) Known() []otp.KeyID { return h }

func (h hasher) Sum(key otp.KeyID, parts ...string) otp.Digest {
	mac := hmac.New(sha256.New, binary.BigEndian.AppendUint32(nil, uint32(key)))
	for _, p := range parts {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p))))
		mac.Write([]byte(p))
	}
	return otp.Digest(mac.Sum(nil))
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// issue returns an Active OTP for code.
func issue(h otp.Hasher, s otp.Subject, form otp.Form, code string) otp.OTP {
	o := otp.OTP{
		State: otp.Active, Allowed: 3, Created: start, Expires: start.Add(time.Minute),
		Rule: otp.Rule{Form: form, Length: len([]rune(code)), Bound: s.Binding != ""},
	}
	o.Key, o.Digest = otp.Hash(h, s, o.Rule, otp.NewCode(code))
	return o
}

// accepts reports whether typed is right for o.
func accepts(h otp.Hasher, s otp.Subject, o otp.OTP, typed string) bool {
	_, v := o.Check(start, otp.NewGuess(h, s, otp.NewCode(typed)))
	return v == otp.Right
}

func TestAFormSaysWhichSpellingsAreTheSame(t *testing.T) {
	t.Parallel()
	h, s := hasher{1}, otp.Subject{Account: "acme", ID: "o1"}
	for _, c := range []struct {
		form  otp.Form
		code  string
		typed string
		want  bool
	}{
		{otp.Exact, "0042", "0042", true},
		{otp.Exact, "0042", "42", false},
		{otp.Exact, "0042", "00042", false},
		{otp.Exact, "0042", " 0042", false},
		{otp.Exact, "0042", "", false},
		{otp.Exact, "aB3x", "aB3x", true},
		{otp.Exact, "aB3x", "AB3X", false},
		{otp.Folded, "aB3x", "Ab3X", true},
		{otp.Folded, "aB3x", "aB3y", false},
		{otp.Folded, "K9", "\u212a9", false}, // the Kelvin sign is no K
		{otp.Folded, "straße", "STRASSE", false},
		{otp.Folded, "s1", "\u017f1", false}, // the long s is no s
		{otp.Folded, "0042", "42", false},
		{otp.PaddedDigits, "0042", "42", true},
		{otp.PaddedDigits, "0042", "042", true},
		{otp.PaddedDigits, "0042", "0042", true},
		{otp.PaddedDigits, "0042", "00042", false},
		{otp.PaddedDigits, "0042", "4200", false},
		{otp.PaddedDigits, "0042", "", false},
		{otp.PaddedDigits, "0000", "0", true},
		{otp.PaddedDigits, "0000", "", false},
		{otp.PaddedDigits, "0042", "4\u0662", false}, // an Arabic-Indic 2
		{otp.PaddedDigits, "0042", "+42", false},
		{otp.PaddedDigits, "0042", "42 ", false},
		{otp.PaddedDigits, "0042", "0x2a", false},
	} {
		if got := accepts(h, s, issue(h, s, c.form, c.code), c.typed); got != c.want {
			t.Errorf("form %d: %q for the code %q is accepted: %v, want %v", c.form, c.typed, c.code, got, c.want)
		}
	}
}

// same says independently of the package whether typed is code in form.
func same(form otp.Form, code, typed string) bool {
	switch form {
	case otp.Folded:
		lower := func(s string) string {
			b := []byte(s)
			for i, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[i] = c + 32
				}
			}
			return string(b)
		}
		return lower(code) == lower(typed)
	case otp.PaddedDigits:
		if typed == "" || len([]rune(typed)) > len(code) {
			return false
		}
		return strings.Repeat("0", max(0, len(code)-len(typed)))+typed == code
	default:
		return code == typed
	}
}

func TestNoInputTestsTwoCandidates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form := rapid.SampledFrom([]otp.Form{otp.Exact, otp.Folded, otp.PaddedDigits}).Draw(t, "form")
		text := rapid.StringMatching(`[0-2aAbB]{1,4}`)
		if form == otp.PaddedDigits {
			text = rapid.StringMatching(`[0-2]{1,4}`)
		}
		code := text.Draw(t, "code")
		typed := rapid.OneOf(
			text, rapid.Just(code), rapid.Just(strings.ToUpper(code)), rapid.Just("0"+code), rapid.Just(strings.TrimLeft(code, "0")),
			rapid.StringMatching(`[0-2aAbB ]{0,5}`), rapid.String(),
		).Draw(t, "typed")
		bindings := rapid.SampledFrom([]string{"", "1.2.3.4", "5.6.7.8"})
		s := otp.Subject{Account: "acme", ID: "o1", Binding: bindings.Draw(t, "binding")}
		asked := otp.Subject{
			Account: rapid.SampledFrom([]string{"acme", "acme", "acme", "other"}).Draw(t, "account"),
			ID:      rapid.SampledFrom([]string{"o1", "o1", "o1", "o2"}).Draw(t, "id"),
			Binding: bindings.Draw(t, "repeated binding"),
		}
		h := hasher{7, 8}
		made := rapid.SampledFrom([]hasher{{7}, {8}}).Draw(t, "made under")
		want := same(form, code, typed) && asked.Account == s.Account && asked.ID == s.ID &&
			(s.Binding == "" || s.Binding == asked.Binding)
		if got := accepts(h, asked, issue(made, s, form, code), typed); got != want {
			t.Fatalf("form %d, code %q of %+v: %q of %+v is accepted: %v, want %v", form, code, s, typed, asked, got, want)
		}
	})
}

func TestTwoCodesThatOneInputFitsAreOneCode(t *testing.T) {
	t.Parallel()
	// Of all codes of one length, an input fits at most as many as the form
	// says are the same code.
	h, s := hasher{1}, otp.Subject{Account: "acme", ID: "o1"}
	digits := func(n int) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
	var typed []string
	for n := range 100 {
		typed = append(typed, digits(n), strings.TrimLeft(digits(n), "0"), "0"+digits(n))
	}
	for _, form := range []otp.Form{otp.Exact, otp.PaddedDigits} {
		for _, in := range typed {
			guess := otp.NewGuess(h, s, otp.NewCode(in))
			fits := 0
			for n := range 100 {
				if _, v := issue(h, s, form, digits(n)).Check(start, guess); v == otp.Right {
					fits++
				}
			}
			if fits > 1 {
				t.Errorf("form %d: %q fits %d codes", form, in, fits)
			}
		}
	}
}

func TestAGuessReadsEveryKnownKey(t *testing.T) {
	t.Parallel()
	s := otp.Subject{Account: "acme", ID: "o1"}
	old := issue(hasher{1}, s, otp.Exact, "483920")
	rotated := hasher{2, 1}
	if key, _ := otp.Hash(rotated, s, otp.Rule{}, otp.NewCode("483920")); key != 2 {
		t.Errorf("a new code is hashed under key %d, want the current one, 2", key)
	}
	if !accepts(rotated, s, old, "483920") {
		t.Error("a code made before the rotation is refused after it")
	}
	if accepts(rotated, s, old, "483921") {
		t.Error("a wrong code is accepted after the rotation")
	}
	if accepts(hasher{2}, s, old, "483920") {
		t.Error("a code is accepted though its key is gone")
	}
}

func TestADigestBelongsToItsAccountAndID(t *testing.T) {
	t.Parallel()
	h := hasher{1}
	code := otp.NewCode("483920")
	seen := map[otp.Digest]otp.Subject{}
	// The parts are length-prefixed: moving a character over an edge is another
	// subject (C-04).
	for _, s := range []otp.Subject{
		{Account: "acme", ID: "o1"},
		{Account: "acme", ID: "o2"},
		{Account: "other", ID: "o1"},
		{Account: "acmeo", ID: "1"},
		{Account: "", ID: "acmeo1"},
		{Account: "acme", ID: "o1", Binding: "b"},
		{Account: "acme", ID: "o1", Binding: "c"},
	} {
		_, d := otp.Hash(h, s, otp.Rule{Bound: s.Binding != ""}, code)
		if was, twice := seen[d]; twice {
			t.Errorf("%+v and %+v have the same digest", was, s)
		}
		seen[d] = s
	}
	_, free := otp.Hash(h, otp.Subject{Account: "acme", ID: "o1"}, otp.Rule{}, code)
	if _, d := otp.Hash(h, otp.Subject{Account: "acme", ID: "o1", Binding: "unasked"}, otp.Rule{}, code); d != free {
		t.Error("a binding that the rule does not ask for changes the digest")
	}
}

func TestABoundCodeNeedsItsBinding(t *testing.T) {
	t.Parallel()
	h := hasher{1}
	bound := otp.Subject{Account: "acme", ID: "o1", Binding: "192.0.2.7"}
	o := issue(h, bound, otp.Exact, "483920")
	for _, c := range []struct {
		binding string
		want    bool
	}{{"192.0.2.7", true}, {"192.0.2.8", false}, {"", false}} {
		s := bound
		s.Binding = c.binding
		if got := accepts(h, s, o, "483920"); got != c.want {
			t.Errorf("the right code with binding %q is accepted: %v, want %v", c.binding, got, c.want)
		}
	}
	free := issue(h, otp.Subject{Account: "acme", ID: "o1"}, otp.Exact, "483920")
	if !accepts(h, bound, free, "483920") {
		t.Error("a binding nobody asked for makes the right code wrong")
	}
}

func TestDigestsCompareByValue(t *testing.T) {
	t.Parallel()
	a, b := otp.Digest{1, 2, 3}, otp.Digest{1, 2, 3}
	if !a.Equal(b) {
		t.Error("equal digests differ")
	}
	b[31] = 1
	if a.Equal(b) {
		t.Error("digests that differ in the last byte are equal")
	}
}
