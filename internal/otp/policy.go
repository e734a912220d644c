package otp

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Alphabet is the set of characters a generated code is drawn from: distinct
// ASCII characters, at most 256.
type Alphabet string

// The classes alphabets are built from.
const (
	Digits    Alphabet = "0123456789"
	LowerCase Alphabet = "abcdefghijklmnopqrstuvwxyz"
	UpperCase Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Without returns the alphabet less the characters in drop.
func (a Alphabet) Without(drop string) Alphabet {
	return Alphabet(strings.Map(func(r rune) rune {
		if strings.ContainsRune(drop, r) {
			return -1
		}
		return r
	}, string(a)))
}

// Policy says how a code is made and how long and how often it may be tried.
type Policy struct {
	Length   int           // characters of a generated code, 1 to 64
	Alphabet Alphabet      // what a generated code is drawn from
	Attempts int           // codes that may be compared, at least 1
	Life     time.Duration // from creation to expiry, more than 0
}

// ErrPolicy is returned for a policy that no code can be made by.
var ErrPolicy = errors.New("unusable code policy")

// MaxCodeLength bounds Policy.Length.
const MaxCodeLength = 64

// Validate reports the first rule the policy breaks, wrapped in ErrPolicy.
func (p Policy) Validate() error {
	switch {
	case p.Length < 1 || p.Length > MaxCodeLength:
		return fmt.Errorf("%w: length %d", ErrPolicy, p.Length)
	case len(p.Alphabet) < 2 || len(p.Alphabet) > 256:
		return fmt.Errorf("%w: alphabet of %d characters", ErrPolicy, len(p.Alphabet))
	case p.Attempts < 1:
		return fmt.Errorf("%w: %d attempts", ErrPolicy, p.Attempts)
	case p.Life <= 0:
		return fmt.Errorf("%w: life %s", ErrPolicy, p.Life)
	}
	return nil
}

// Generate draws a code from random by rejection sampling, each character
// uniform over the alphabet (C-01): a byte that would favour some characters
// is thrown away instead of reduced.
func (p Policy) Generate(random io.Reader) (Code, error) {
	if err := p.Validate(); err != nil {
		return Code{}, err
	}
	n := len(p.Alphabet)
	limit := 256 - 256%n // the largest multiple of n that a byte can count to
	code := make([]byte, 0, p.Length)
	var buf [2 * MaxCodeLength]byte
	for len(code) < p.Length {
		chunk := buf[:min(len(buf), 2*(p.Length-len(code)))]
		if _, err := io.ReadFull(random, chunk); err != nil {
			return Code{}, fmt.Errorf("read randomness for a code: %w", err)
		}
		for _, b := range chunk {
			if int(b) < limit && len(code) < p.Length {
				code = append(code, p.Alphabet[int(b)%n])
			}
		}
	}
	return NewCode(string(code)), nil
}
