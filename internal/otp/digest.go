package otp

import (
	"crypto/hmac"
	"strings"
)

// KeyID names the key that a stored digest was made under (C-06).
type KeyID uint32

// Digest is the keyed hash of a code.
type Digest [32]byte

// Equal compares in constant time (V-06).
func (d Digest) Equal(other Digest) bool { return hmac.Equal(d[:], other[:]) }

// Hasher makes digests. Its keys are not in the database (C-04).
type Hasher interface {
	// Current is the key that new codes are hashed with.
	Current() KeyID
	// Known lists every key that is still read, the current one first.
	Known() []KeyID
	// Sum is HMAC-SHA-256 under a known key over the parts, each
	// length-prefixed.
	Sum(key KeyID, parts ...string) Digest
}

// Form is how codes are brought into one spelling before they are hashed. It
// is fixed when the OTP is made. The zero Form compares exactly.
type Form uint8

// The forms of comparison. None of them lets one input test more than one
// candidate.
const (
	// Exact compares as typed.
	Exact Form = iota
	// Folded takes A–Z as a–z.
	Folded
	// PaddedDigits reads a shorter all-digit input as if zeros stood on its
	// left: clients that hold the code as an integer lose leading zeros. Only
	// for codes that are all digits.
	PaddedDigits
	forms
)

// Rule says how typed codes are compared with the stored one.
type Rule struct {
	Form   Form
	Length int  // characters of the stored code; PaddedDigits takes no longer input
	Bound  bool // the check must repeat the binding given when the code was sent
}

// AllDigits reports whether s is non-empty and only 0–9.
func AllDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// canonical spells code in the form; false if it cannot match under it.
func (f Form) canonical(code string) (string, bool) {
	switch f {
	case Folded:
		return strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r + ('a' - 'A')
			}
			return r
		}, code), true
	case PaddedDigits:
		if !AllDigits(code) {
			return "", false
		}
		return strings.TrimLeft(code, "0"), true
	case Exact, forms:
	}
	return code, true
}

// Subject is what a digest belongs to besides the code itself: nothing hashed
// for one subject matches under another (C-04, V-04).
type Subject struct {
	Account string
	ID      string // the OTP's id
	Binding string // what the check must repeat, such as an end user's address; "" for none
}

func (s Subject) digest(h Hasher, key KeyID, canonical string) Digest {
	return h.Sum(key, s.Account, s.ID, canonical, s.Binding)
}

// Hash returns the digest to store for code under h's current key and rule.
func Hash(h Hasher, s Subject, r Rule, code Code) (KeyID, Digest) {
	if !r.Bound {
		s.Binding = ""
	}
	canonical, _ := r.Form.canonical(code.Reveal())
	return h.Current(), s.digest(h, h.Current(), canonical)
}
