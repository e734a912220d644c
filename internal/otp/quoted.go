package otp

// Quoted reports whether text, which somebody else chose, holds the OTP's code.
// The text is expected to be short: every part of it that is as long as the code
// is hashed. Of an OTP that was sent with a Binding it cannot be known, nor of
// one under a key that h does not have: both are false.
func Quoted(h Hasher, s Subject, o OTP, text string) bool {
	runes := []rune(text)
	for i := 0; i+o.Rule.Length <= len(runes); i++ {
		if NewGuess(h, s, NewCode(string(runes[i:i+o.Rule.Length]))).matches(o) {
			return true
		}
	}
	return false
}
