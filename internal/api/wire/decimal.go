package wire

import (
	"errors"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/otp"
)

// Bounds of numbers: what is larger has no use here and must not cost memory.
const (
	maxExponent = 1 << 20
	maxPlain    = 64 // digits before or after the point that Plain writes
)

// Decimal is a decimal number without loss: 0.digits × 10^point. digits has no
// zero at either end; there are none in zero, which the zero Decimal is.
type Decimal struct {
	negative bool
	digits   string
	point    int
}

// ParseDecimal reads a sign, digits with or without a point, and an exponent;
// only digits must be there, before the point or behind it, as they are in every
// JSON number.
func ParseDecimal(text string) (Decimal, bool) {
	var d Decimal
	if text != "" && (text[0] == '-' || text[0] == '+') {
		d.negative = text[0] == '-'
		text = text[1:]
	}
	exponent := 0
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		n, err := strconv.Atoi(text[at+1:])
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return Decimal{}, false
		}
		exponent = min(max(n, -maxExponent), maxExponent)
		text = text[:at]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	if !otp.AllDigits(digits) {
		return Decimal{}, false
	}
	d.digits = strings.TrimLeft(digits, "0")
	d.point = len(whole) + exponent - (len(digits) - len(d.digits))
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		d.point = 0
	}
	return d, true
}

// Integer returns the number without its fraction; false if it has more than
// 64 bits.
func (d Decimal) Integer() (int64, bool) {
	if d.point > 19 { // digits of the largest
		return 0, false
	}
	whole, _ := d.split()
	n, err := strconv.ParseInt(d.sign()+whole, 10, 64)
	return n, err == nil
}

// Plain writes the number exactly, without exponent and without a fraction of
// zero; false if that gets longer than 64 digits before or after the point.
func (d Decimal) Plain() (string, bool) {
	if d.point > maxPlain || len(d.digits)-d.point > maxPlain {
		return "", false
	}
	whole, fraction := d.split()
	if fraction != "" {
		return d.sign() + whole + "." + fraction, true
	}
	return d.sign() + whole, true
}

func (d Decimal) sign() string {
	if d.negative {
		return "-"
	}
	return ""
}

// split returns the digits before the point, "0" if there are none, and those
// behind it.
func (d Decimal) split() (whole, fraction string) {
	switch n := len(d.digits); {
	case d.point <= 0:
		if n > 0 && -d.point <= maxPlain {
			fraction = strings.Repeat("0", -d.point) + d.digits
		}
		return "0", fraction
	case d.point >= n:
		return d.digits + strings.Repeat("0", d.point-n), ""
	default:
		return d.digits[:d.point], d.digits[d.point:]
	}
}
