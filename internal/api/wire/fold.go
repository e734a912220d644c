package wire

import "strings"

// Fold returns s with A to Z in lower case and all else as it is. Words of an
// API are of ASCII: strings.ToLower makes a k of the Kelvin sign, and
// strings.ToUpper an S of the long s.
func Fold(s string) string {
	at := strings.IndexFunc(s, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	if at < 0 {
		return s
	}
	b := []byte(s)
	for i := at; i < len(b); i++ {
		b[i] = fold(b[i])
	}
	return string(b)
}

// EqualFold reports whether a and b are equal but for the letter case of A to Z.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}
