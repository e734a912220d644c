package fitness

import (
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/message"
)

// Lengths of senders (3GPP TS 23.040 §9.1.2.5, ITU-T E.164).
const (
	maxAlphanumeric = 11 // septets
	minShortCode    = 3
	minNumber       = 7
	maxNumber       = 15
)

// Sender reports whether networks take a text as an SMS's sender: "+" and 7 to 15
// digits, 3 to 15 digits, or up to 11 septets of ASCII with a letter (M-04). ""
// leaves the sender to the carrier.
func Sender(text string) bool {
	if text == "" {
		return true
	}
	digits, plus := strings.CutPrefix(text, "+")
	if digits != "" && strings.Trim(digits, "0123456789") == "" {
		least := minShortCode
		if plus {
			least = minNumber
		}
		return least <= len(digits) && len(digits) <= maxNumber
	}
	septets, ok := message.EncodeGSM7(text)
	return ok && setting.Printable(text) && len(septets) <= maxAlphanumeric &&
		strings.ContainsFunc(text, func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' })
}
