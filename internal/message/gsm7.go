package message

// escape is the septet that announces a character of the extension table.
const escape = 0x1B

// unmapped marks what GSM 03.38 cannot express.
const unmapped = 0xFF

// basic holds the default alphabet (3GPP TS 23.038 §6.2.1): the position of a
// character is its septet. U+001B stands at the place of the escape, which is
// no character.
const basic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" +
	" !\"#¤%&'()*+,-./0123456789:;<=>?" +
	"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§" +
	"¿abcdefghijklmnopqrstuvwxyzäöñüà"

// extension holds, in pairs, the characters of the extension table and the
// septets that follow the escape (3GPP TS 23.038 §6.2.1.1). National shift
// tables are not used.
const extension = "\f\x0A^\x14{\x28}\x29\\\x2F[\x3C~\x3D]\x3E|\x40€\x65"

// alphabet is both tables, ready for look-ups.
type alphabet struct {
	latin [0x100]uint8 // by code point; bit 7 set: extension; unmapped: none
	runes [0x80]rune   // the default alphabet by septet; 0: none
}

// gsm is read only.
var gsm = newAlphabet()

func newAlphabet() *alphabet {
	a := &alphabet{}
	for i := range a.latin {
		a.latin[i] = unmapped
	}
	septet := uint8(0)
	for _, r := range basic {
		if r != escape {
			a.runes[septet] = r
			if r < rune(len(a.latin)) {
				a.latin[r] = septet
			}
		}
		septet++
	}
	pairs := []rune(extension)
	for i := 0; i < len(pairs); i += 2 {
		r, septet := pairs[i], uint8(pairs[i+1]) //nolint:gosec // a constant below 0x80
		if r < rune(len(a.latin)) {
			a.latin[r] = septet | 0x80
		}
	}
	return a
}

// septet returns the septet of r, whether the escape goes before it, and
// whether GSM 03.38 has r at all.
func (a *alphabet) septet(r rune) (septet uint8, extended, ok bool) {
	if r >= 0 && r < rune(len(a.latin)) {
		s := a.latin[r]
		return s & 0x7F, s&0x80 != 0, s != unmapped
	}
	switch r {
	case '€':
		return 0x65, true, true
	case 'Δ':
		return 0x10, false, true
	}
	if r >= 'Γ' && r <= 'Ω' { // the other Greek capitals that Latin lacks
		for s := uint8(0x12); s < escape; s++ {
			if a.runes[s] == r {
				return s, false, true
			}
		}
	}
	return 0, false, false
}

// EncodeGSM7 returns text in GSM 03.38, one septet an octet (not packed), an
// extension character as 0x1B and its septet. It returns nil and false if the
// alphabet lacks a character of text.
func EncodeGSM7(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		septet, extended, ok := gsm.septet(r)
		if !ok {
			return nil, false
		}
		if extended {
			out = append(out, escape)
		}
		out = append(out, septet)
	}
	return out, true
}
