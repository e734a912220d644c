package desk

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// substitute returns what could stand for a character that GSM 03.38 lacks, ""
// for something that nobody misses; false if nothing comes close.
func substitute(r rune) (string, bool) {
	switch r {
	case '‘', '’', '‚', '‛', '′', '´', '`', 'ʼ', '‹', '›':
		return "'", true
	case '“', '”', '„', '‟', '″', '«', '»':
		return `"`, true
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return "-", true
	case '•', '·', '‣', '∙':
		return "-", true
	case '…':
		return "...", true
	case '™':
		return "TM", true
	case '©':
		return "(c)", true
	case '®':
		return "(R)", true
	case '№':
		return "No.", true
	case '×':
		return "x", true
	case '→', '➔', '➜':
		return "->", true
	case 'ł':
		return "l", true
	case 'Ł':
		return "L", true
	case 'đ':
		return "d", true
	case 'Đ':
		return "D", true
	case 'œ':
		return "oe", true
	case 'Œ':
		return "OE", true
	case 'ı':
		return "i", true
	case 'ς':
		return "Σ", true
	}
	switch {
	case r == '\t', unicode.Is(unicode.Zs, r):
		return " ", true
	case unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return "\n", true
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return "", true
	case unicode.Is(unicode.So, r), unicode.Is(unicode.Sk, r): // pictures
		return "", true
	}
	// Greek capitals are in the alphabet, small letters are not.
	if up := unicode.ToUpper(r); unicode.Is(unicode.Greek, r) && up != r {
		if fits(up) {
			return string(up), true
		}
		return latinised(up)
	}
	return latinised(r)
}

// latinised is a letter without its marks, if what remains is in the alphabet.
func latinised(r rune) (string, bool) {
	var b strings.Builder
	for _, part := range norm.NFKD.String(string(r)) {
		if !unicode.Is(unicode.Mn, part) {
			b.WriteRune(part)
		}
	}
	plain := b.String()
	switch plain { // Greek capitals look like these
	case "Α", "Β", "Ε", "Ζ", "Η", "Ι", "Κ", "Μ", "Ν", "Ο", "Ρ", "Τ", "Υ", "Χ":
		return string("ABEZHIKMNOPTYX"[strings.Index("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", plain)/len("Α")]), true
	}
	if plain == "" || plain == string(r) {
		return "", false
	}
	for _, part := range plain {
		if !fits(part) {
			return "", false
		}
	}
	return plain, true
}

// substituted is a text with every substitute that is known in it.
func substituted(text string) string {
	var b strings.Builder
	for _, r := range text {
		instead, known := substitute(r)
		if fits(r) || !known {
			b.WriteRune(r)
			continue
		}
		b.WriteString(instead)
	}
	return b.String()
}
