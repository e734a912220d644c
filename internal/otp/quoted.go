package otp

import (
	"slices"
	"unicode"
)

// Quoted reports whether text, which somebody else chose, holds the OTP's code.
// The text is expected to be short: every part of it that is as long as the code
// is hashed. Of an OTP that was sent with a Binding, which is not kept, it cannot
// be known: any part that could be a code counts. Under a key that h does not
// have it is false.
func Quoted(h Hasher, s Subject, o OTP, text string) bool {
	runes := []rune(text)
	for i := 0; i+o.Rule.Length <= len(runes); i++ {
		part := runes[i : i+o.Rule.Length]
		if o.Rule.Bound && !slices.ContainsFunc(part, separates) || NewGuess(h, s, NewCode(string(part))).matches(o) {
			return true
		}
	}
	return false
}

// separates reports whether r is in no code that is bound.
func separates(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
