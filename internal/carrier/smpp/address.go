package smpp

import (
	"errors"
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// Lengths of senders and types of numbers (SMPP 3.4 §5.2.5, §5.2.6; 3GPP TS
// 23.040 §9.1.2.5).
const (
	maxShortCode    = 8
	maxNumber       = 15
	maxAlphanumeric = 11

	tonInternational, npiISDN = 1, 1
	tonAlphanumeric           = 5
)

var errSender = errors.New(`is no sender: use "+" and up to 15 digits, a short code of 3 to 8, or up to 11 characters of ASCII with a letter`)

// source returns the sender's address; "" leaves it to the message centre.
func (s *settled) source(sender string) (pdu.Address, error) {
	digits, plus := strings.CutPrefix(sender, "+")
	switch {
	case sender == "":
		return pdu.Address{}, nil
	case allDigits(digits) && (plus || len(digits) > maxShortCode):
		if len(digits) > maxNumber {
			return pdu.Address{}, errSender
		}
		return pdu.Address{TON: tonInternational, NPI: npiISDN, Text: digits}, nil
	case allDigits(digits):
		if len(digits) < 3 {
			return pdu.Address{}, errSender
		}
		kind := s.shortCode
		kind.Text = digits
		return kind, nil
	case len(sender) > maxAlphanumeric, !setting.Printable(sender), !strings.ContainsFunc(sender, letter):
		return pdu.Address{}, errSender
	}
	return pdu.Address{TON: tonAlphanumeric, Text: sender}, nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func letter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }
