package otp

import (
	"slices"
	"unicode/utf8"
)

// Candidate is a typed code hashed in one form under one key.
type Candidate struct {
	Key    KeyID
	Form   Form
	Bound  bool
	Digest Digest
}

// Guess is a typed code, hashed in every way that the stored OTP may ask for,
// so that a store can compare inside its transaction without seeing the code
// and without a round trip before it.
type Guess struct {
	Length     int     // characters typed
	Keys       []KeyID // those that the candidates are hashed under
	Candidates []Candidate
}

// NewGuess hashes typed for subject. A Binding in subject counts only for OTPs
// that were sent with one.
func NewGuess(h Hasher, s Subject, typed Code) Guess {
	text := typed.Reveal()
	g := Guess{Length: utf8.RuneCountInString(text)}
	free := s
	free.Binding = ""
	known := h.Known()
	g.Keys = known
	ways := len(known) * int(forms)
	if s.Binding != "" {
		ways *= 2
	}
	g.Candidates = make([]Candidate, 0, ways)
	for _, key := range known {
		exact := free.digest(h, key, text)
		for form := range forms {
			canonical, ok := form.canonical(text)
			if !ok {
				continue
			}
			d := exact
			if canonical != text {
				d = free.digest(h, key, canonical)
			}
			g.Candidates = append(g.Candidates, Candidate{key, form, false, d})
			if s.Binding != "" {
				g.Candidates = append(g.Candidates, Candidate{key, form, true, s.digest(h, key, canonical)})
			}
		}
	}
	return g
}

// Judges reports whether the guess can be compared with what the OTP stores: it
// cannot if the OTP's key is not among those the guess was hashed under, as
// where another node has a newer root key (C-06).
func (g Guess) Judges(o OTP) bool { return slices.Contains(g.Keys, o.Key) }

// matches compares the guess with what the OTP stores. Exactly one candidate
// can fit the key, form and binding of an OTP.
func (g Guess) matches(o OTP) bool {
	if o.Rule.Form == PaddedDigits && g.Length > o.Rule.Length {
		return false
	}
	for _, c := range g.Candidates {
		if c.Key == o.Key && c.Form == o.Rule.Form && c.Bound == o.Rule.Bound {
			return c.Digest.Equal(o.Digest)
		}
	}
	return false
}
