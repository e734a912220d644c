package httpsubmit

import (
	"strings"

	"github.com/countersign/countersign/internal/delivery"
)

// maxToken is how long a Token is at most.
const maxToken = 32

// Token returns text if it is fit for events and logs as an upstream's own
// error code: 1 to 32 letters, digits, '-', '_' and '.'; else "". A sentence is
// none, as it could quote the message.
func Token(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxToken {
		return ""
	}
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return ""
		}
	}
	return text
}

// tellingDigits is how many digits on end may be a code, or of a number.
const tellingDigits = 4

// LogToken is Token for what an upstream said of nobody knows which message: ""
// too for what has four digits or more on end, dashes and the like between them
// or not, as a code or a number has (P-02).
func LogToken(text string) string {
	token, digits := Token(text), 0
	for _, c := range []byte(token) {
		switch {
		case '0' <= c && c <= '9':
			if digits++; digits == tellingDigits {
				return ""
			}
		case c != '-' && c != '_' && c != '.':
			digits = 0
		}
	}
	return token
}

// TokenOf is Token of what an upstream said of a message; "" too for what quotes
// its code or its recipient's number (P-02).
func TokenOf(m delivery.Message, text string) string {
	token := Token(text)
	if m.Quotes(token) {
		return ""
	}
	return token
}
