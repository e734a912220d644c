package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWritten is the most digits that an input may have: 15, an international
// prefix and a trunk prefix beside them.
const maxWritten = 20

// Syntax reads a number that is only written like one; it may not exist
// (contract v4 §6.1.2). Blanks and - . / ( ) are dropped, a leading 00 becomes
// the plus and a missing plus is added; what is left is 7 to 15 ASCII digits.
// Anything else is ErrNotANumber. It costs well under a microsecond.
func Syntax(s string) (Number, error) {
	w, ok := strip(s)
	if !ok {
		return Number{}, ErrNotANumber
	}
	w.dropInternationalPrefix()
	return w.number()
}

// written is an input of which only the plus and the digits are left.
type written struct {
	plus   bool
	length int
	digits [maxWritten]byte // ASCII; the first length are used
}

// strip drops blanks and the separators - . / ( ). It fails if anything else
// than ASCII digits after at most one plus is left, or too many digits.
func strip(s string) (w written, ok bool) {
	for _, c := range []byte(s) {
		switch {
		case isDigit(c):
			if !w.add(c) {
				return written{}, false
			}
		case c == '+' && !w.plus && w.length == 0:
			w.plus = true
		case strings.IndexByte(" -./()", c) < 0:
			return written{}, false
		}
	}
	return w, true
}

// scrape drops everything but ASCII digits and a plus before them. It fails if
// too many digits are left, and on digits beyond ASCII: to drop those would make
// another number of it.
func scrape(s string) (w written, ok bool) {
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9':
			if !w.add(byte(r)) {
				return written{}, false
			}
		case r == '+' && w.length == 0:
			w.plus = true
		case r >= utf8.RuneSelf && unicode.IsNumber(r):
			return written{}, false
		}
	}
	return w, true
}

func (w *written) add(digit byte) bool {
	if w.length == len(w.digits) {
		return false
	}
	w.digits[w.length] = digit
	w.length++
	return true
}

// dropInternationalPrefix turns a leading 00 without a plus into a plus.
func (w *written) dropInternationalPrefix() {
	if !w.plus && w.startsWith("00") {
		w.plus = true
		w.length = copy(w.digits[:], w.digits[2:w.length])
	}
}

func (w *written) startsWith(prefix string) bool {
	return strings.HasPrefix(string(w.digits[:w.length]), prefix)
}

// text returns the digits without the plus.
func (w *written) text() string { return string(w.digits[:w.length]) }

// number returns the digits as an international number, whatever it says.
func (w *written) number() (Number, error) {
	var e164 [1 + maxWritten]byte
	e164[0] = '+'
	n := copy(e164[1:], w.digits[:w.length])
	return FromE164(string(e164[:1+n]))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
