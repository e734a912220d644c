package message

import (
	"slices"
	"unicode/utf16"
)

// Limits of a short message in units: alone, and in a concatenated message,
// whose parts carry a header with an 8-bit reference (3GPP TS 23.040 §9.2.3.24.1).
const (
	gsm7Alone, gsm7Part = 160, 153 // septets
	ucs2Alone, ucs2Part = 70, 67   // UTF-16 code units
)

// maxForced bounds Segmentation.Forced.
const maxForced = 16

// Encoding is the alphabet of a short message.
type Encoding int

const (
	// GSM7 is the GSM 03.38 default alphabet with its extension table.
	GSM7 Encoding = iota
	// UCS2 is UTF-16, big-endian on the wire.
	UCS2
)

// String returns "GSM7" or "UCS2".
func (e Encoding) String() string {
	if e == UCS2 {
		return "UCS2"
	}
	return "GSM7"
}

// Segmentation is what a text costs as a short message.
type Segmentation struct {
	Encoding Encoding
	Units    int    // septets in GSM7, where an extension character takes two; UTF-16 code units in UCS2
	Segments int    // at least 1, also for the empty text
	Forced   []rune // the first 16 different characters that GSM 03.38 lacks; nil in GSM7
}

// Segments counts text as a phone network would. Neither an escape pair nor a
// surrogate pair is split over two segments, so a full-looking segment may hold
// one unit less. A byte that is not UTF-8 counts as U+FFFD.
func Segments(text string) Segmentation {
	var s Segmentation
	for _, r := range text {
		if _, _, ok := gsm.septet(r); ok {
			continue
		}
		s.Encoding = UCS2
		if len(s.Forced) < maxForced && !slices.Contains(s.Forced, r) {
			s.Forced = append(s.Forced, r)
		}
	}
	s.Segments = 1
	part, units := s.partLimit(), 0 // of the segment being filled, in a concatenated message
	for _, r := range text {
		cost := s.Encoding.cost(r)
		s.Units += cost
		if units += cost; units > part {
			s.Segments++
			units = cost
		}
	}
	if s.Units <= s.aloneLimit() {
		s.Segments = 1
	}
	return s
}

// Parts returns the texts of the segments that [Segments] counts: joined they
// are text, and each fits into its message. It has at least one element.
func Parts(text string) []string {
	s := Segments(text)
	if s.Segments == 1 {
		return []string{text}
	}
	parts := make([]string, 0, s.Segments)
	start, units := 0, 0
	for at, r := range text {
		cost := s.Encoding.cost(r)
		if units += cost; units > s.partLimit() {
			parts = append(parts, text[start:at])
			start, units = at, cost
		}
	}
	return append(parts, text[start:])
}

// cost returns the units that r takes. In GSM7 r must be in the alphabet.
func (e Encoding) cost(r rune) int {
	if e == UCS2 {
		return utf16.RuneLen(r)
	}
	if _, extended, _ := gsm.septet(r); extended {
		return 2
	}
	return 1
}

func (s Segmentation) aloneLimit() int {
	if s.Encoding == UCS2 {
		return ucs2Alone
	}
	return gsm7Alone
}

func (s Segmentation) partLimit() int {
	if s.Encoding == UCS2 {
		return ucs2Part
	}
	return gsm7Part
}
