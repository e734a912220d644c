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

// TokenOf is Token of what an upstream said of a message; "" too for what quotes
// its code or its recipient's number (P-02).
func TokenOf(m delivery.Message, text string) string {
	token := Token(text)
	for _, private := range []string{m.Code.Reveal(), strings.TrimPrefix(m.Recipient.Reveal(), "+")} {
		if private != "" && strings.Contains(token, private) {
			return ""
		}
	}
	return token
}
