package setting

import "strings"

// Printable reports whether a text is of printable ASCII, blanks among it.
func Printable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// FieldName reports whether a text can name a header: a token (RFC 9110 §5.6.2).
func FieldName(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}
