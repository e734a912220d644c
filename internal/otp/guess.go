package otp

import "unicode/utf8"

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
	Length     int // characters typed
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
