package smpp

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/countersign/countersign/internal/message"
)

// Values of data_coding (SMPP 3.4 §5.2.19).
const (
	codingDefault uint8 = 0x00
	codingLatin1  uint8 = 0x03
	codingUCS2    uint8 = 0x08
	codingFlash   uint8 = 0x10 // added to the default alphabet or UCS-2
)

// Units of a message alone and of a part, in septets and in UTF-16 code units:
// with an 8-bit reference the header takes 6 octets of 140, with a 16-bit one 7
// (3GPP TS 23.040 §9.2.3.24.1, §9.2.3.24.8).
const (
	septetsAlone, septetsPart, septetsPart16 = 160, 153, 152
	unitsAlone, unitsPart, unitsPart16       = 70, 67, 66
)

// written is a text as the message centre wants it.
type written struct {
	coding uint8
	parts  [][]byte
}

// write encodes text and, unless whole, cuts it into parts.
func (s *settled) write(text string, whole bool) written {
	w := written{coding: codingDefault}
	encode, cost := encodeUCS2, unitCost
	alone, part := unitsAlone, unitsPart
	if s.Long == udh16 || s.Long == sar {
		part = unitsPart16
	}
	_, isGSM := message.EncodeGSM7(text)
	switch {
	case isGSM && s.Alphabet == gsm:
		encode = encodeGSM
	case isGSM && isLatin1(text):
		encode = encodeLatin1
		if s.Alphabet == latin1 {
			w.coding = codingLatin1
		}
	default:
		w.coding, isGSM = codingUCS2, false
	}
	if isGSM {
		cost, alone, part = septetCost, septetsAlone, septetsPart
		if s.Long == udh16 || s.Long == sar {
			part = septetsPart16 // the message centre may choose the longer header
		}
	}
	if s.Flash {
		w.coding |= codingFlash
	}
	if whole {
		w.parts = [][]byte{encode(text)}
		return w
	}
	for _, piece := range cut(text, cost, alone, part) {
		w.parts = append(w.parts, encode(piece))
	}
	return w
}

// Segments returns how many parts a text takes: with long = "payload", where the
// message centre makes them, as many as networks make of it.
func (c *Carrier) Segments(text string) int { return len(c.cfg.write(text, false).parts) }

// cut returns the pieces of text that fit, at least one. No character is split,
// and so no escape or surrogate pair.
func cut(text string, cost func(rune) int, alone, part int) []string {
	total := 0
	for _, r := range text {
		total += cost(r)
	}
	if total <= alone {
		return []string{text}
	}
	var pieces []string
	start, units := 0, 0
	for at, r := range text {
		c := cost(r)
		if units += c; units > part {
			pieces = append(pieces, text[start:at])
			start, units = at, c
		}
	}
	return append(pieces, text[start:])
}

func septetCost(r rune) int {
	septets, _ := message.EncodeGSM7(string(r))
	return len(septets)
}

func unitCost(r rune) int { return max(utf16.RuneLen(r), 1) }

func encodeGSM(text string) []byte {
	b, _ := message.EncodeGSM7(text)
	return b
}

func isLatin1(text string) bool {
	for _, r := range text {
		if r > 0xFF {
			return false
		}
	}
	return true
}

func encodeLatin1(text string) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r)) //nolint:gosec // isLatin1 was asked
	}
	return b
}

func encodeUCS2(text string) []byte {
	b := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}

// decodeUCS2 reads big-endian UTF-16; an odd octet at the end is dropped.
func decodeUCS2(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.BigEndian.Uint16(b))
	}
	return string(utf16.Decode(units))
}
