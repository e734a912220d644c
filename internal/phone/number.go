package phone

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"log/slog"
)

// A number has 7 to 15 digits, the calling code included. Fifteen is the limit
// of ITU-T E.164; fewer than seven reach nobody from abroad.
const minDigits, maxDigits = 7, 15

// ErrNotANumber is returned when no number can be made of the input. Like every
// error of this package it does not quote the input.
var ErrNotANumber = errors.New("not a phone number")

// Number is a phone number in E.164 form, "+" and 7 to 15 digits. It need not
// be possible: see CanExist and Info. However it is printed, the digits stay
// hidden; Reveal returns them. The zero Number is no number.
//
// The text is encrypted because fmt and slog read straight through an
// unexported field of a struct that somebody else logs. A unique.Handle would
// hide it too, but costs many times as much to make and to collect, and every
// OTP has a number of its own.
type Number struct{ sealed block }

// block is "+" and the digits, zeros after them, encrypted. It fits exactly, and
// so numbers compare with ==.
type block [aes.BlockSize]byte

// hiding is the cipher of this process, under a key that nobody knows.
var hiding = newHiding()

func newHiding() cipher.Block {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (Go 1.24)
	c, err := aes.NewCipher(key[:])
	if err != nil {
		panic("phone: " + err.Error()) // only for a key of another length
	}
	return c
}

// FromE164 reads what Reveal returned: exactly "+" and 7 to 15 ASCII digits.
// Anything else is ErrNotANumber.
func FromE164(s string) (Number, error) {
	if len(s) < 1+minDigits || len(s) > 1+maxDigits || s[0] != '+' {
		return Number{}, ErrNotANumber
	}
	for _, c := range []byte(s[1:]) {
		if !isDigit(c) {
			return Number{}, ErrNotANumber
		}
	}
	var b block
	copy(b[:], s)
	hiding.Encrypt(b[:], b[:])
	return Number{b}, nil
}

// Reveal returns "+" and the digits, or "" for the zero Number. Every call of
// it is a place where personal data leaves.
func (n Number) Reveal() string {
	if n.IsZero() {
		return ""
	}
	b := n.open()
	return string(bytes.TrimRight(b[:], "\x00"))
}

// open returns "+" and the digits, zeros after them.
func (n Number) open() *block {
	b := n.sealed
	hiding.Decrypt(b[:], b[:])
	return &b
}

// IsZero reports whether n is the zero Number.
func (n Number) IsZero() bool { return n == Number{} }

// CanExist reports whether n could be assigned at all: no calling code begins
// with 0. A number that cannot exist is never handed to a carrier (contract v4
// §14.39). It is false for the zero Number.
func (n Number) CanExist() bool {
	return !n.IsZero() && n.open()[1] != '0'
}

// String returns the number masked, "+44…56".
func (n Number) String() string { return maskNumber(n.Reveal()) }

// GoString returns the number masked.
func (n Number) GoString() string { return n.String() }

// LogValue returns the number masked.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// MarshalText returns the number masked; there is no way back from that.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// maskNumber keeps the first and the last two digits of a number, and only the
// last two of one so short that little would be hidden.
func maskNumber(e164 string) string {
	switch {
	case e164 == "":
		return ""
	case len(e164) < 10:
		return "+…" + e164[len(e164)-2:]
	default:
		return e164[:3] + "…" + e164[len(e164)-2:]
	}
}
