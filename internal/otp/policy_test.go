package otp_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

func TestGeneratedCharactersAreUniform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		alphabet otp.Alphabet
		// bound is the 0.9999 quantile of χ² with one degree of freedom less
		// than characters. "% n" on a byte goes far beyond it: 10⁶ characters
		// would give about 370 for 10 and 2,800 for 31.
		bound float64
	}{
		{"digits", otp.Digits, 33.7}, // C-01
		{"31 characters", (otp.Digits + otp.UpperCase).Without("0O1I5"), 67.7},
		{"letters of both cases", otp.LowerCase + otp.UpperCase, 97.0},
		{"two characters", "01", 15.2},
		{"255 bytes", otp.Alphabet(allBytes()[:255]), 346.0},
		{"64 characters", otp.Digits + otp.LowerCase + otp.UpperCase + "-_", 113.5},
		{"digits without lookalikes", otp.Digits.Without("01"), 29.9},
		{"upper case without vowels", otp.UpperCase.Without("AEIOU"), 52.4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// A fair generator passes the bound once in ten thousand runs; that
			// it does so twice running is no chance.
			first := chiSquare(t, c.alphabet)
			if first < c.bound {
				return
			}
			if again := chiSquare(t, c.alphabet); again >= c.bound {
				t.Errorf("χ² over %d characters = %.1f and %.1f, want less than %.1f", chiDraws, first, again, c.bound)
			}
		})
	}
}

const chiDraws = 1_000_000

// chiSquare is χ² of chiDraws generated characters against the uniform
// distribution.
func chiSquare(t *testing.T, alphabet otp.Alphabet) float64 {
	t.Helper()
	p := otp.Policy{Length: 50, Alphabet: alphabet, Attempts: 1, Life: time.Minute}
	var counts [256]int
	for range chiDraws / p.Length {
		code, err := p.Generate(rand.Reader)
		if err != nil {
			t.Fatalf("Generate: %v", err)
		}
		for _, b := range []byte(code.Reveal()) {
			counts[b]++
		}
	}
	expected := float64(chiDraws) / float64(len(alphabet))
	chi := 0.0
	for _, c := range []byte(alphabet) {
		d := float64(counts[c]) - expected
		chi += d * d / expected
		counts[c] = 0
	}
	for b, n := range counts {
		if n > 0 {
			t.Errorf("%d times %q, which is not in the alphabet", n, rune(b))
		}
	}
	return chi
}

func allBytes() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteByte(byte(i))
	}
	return b.String()
}

func TestABiasedReductionWouldBeSeen(t *testing.T) {
	t.Parallel()
	// Bytes 250 to 255 would make 0 to 5 likelier: they are thrown away.
	p := otp.Policy{Length: 4, Alphabet: otp.Digits, Attempts: 1, Life: time.Minute}
	code, err := p.Generate(bytes.NewReader([]byte{250, 255, 253, 7, 249, 251, 10, 254, 38, 1, 2, 3, 4, 5, 6, 7}))
	if err != nil || code.Reveal() != "7908" {
		t.Errorf("Generate over chosen bytes = %q, %v; want 7908: bytes from 250 up are not used", code.Reveal(), err)
	}
}

func TestLeadingZerosOccur(t *testing.T) {
	t.Parallel()
	p := otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 1, Life: time.Minute}
	zeros := 0
	for range 10_000 {
		code, err := p.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(code.Reveal()) != 6 {
			t.Fatalf("a code of %d characters, want 6", len(code.Reveal()))
		}
		if code.Reveal()[0] == '0' {
			zeros++
		}
	}
	if zeros < 850 || zeros > 1150 { // five standard deviations
		t.Errorf("%d of 10,000 codes begin with 0, want about 1,000", zeros)
	}
}

func TestGenerateNeedsWorkingRandomness(t *testing.T) {
	t.Parallel()
	p := otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 1, Life: time.Minute}
	broken := errors.New("no entropy")
	for _, c := range []struct {
		name   string
		random io.Reader
		want   error
	}{
		{"fails at once", iotest.ErrReader(broken), broken},
		{"fails after some bytes", io.MultiReader(bytes.NewReader([]byte{1, 2, 3}), iotest.ErrReader(broken)), broken},
		{"is empty", bytes.NewReader(nil), io.EOF},
		{"is short", bytes.NewReader([]byte{1, 2, 3, 4, 5, 6, 7}), io.ErrUnexpectedEOF},
		{"never has a usable byte", io.LimitReader(endless(255), 1<<16), io.EOF},
	} {
		code, err := p.Generate(c.random)
		if !errors.Is(err, c.want) && !errors.Is(err, io.ErrUnexpectedEOF) || !code.IsZero() {
			t.Errorf("Generate over a reader that %s = %q, %v; want no code and %v", c.name, code.Reveal(), err, c.want)
		}
	}
	if code, err := p.Generate(iotest.OneByteReader(endless(7))); err != nil || code.Reveal() != "777777" {
		t.Errorf("Generate over a reader of single bytes = %q, %v; want 777777", code.Reveal(), err)
	}
}

// endless reads as one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestAPolicyNamesTheRuleItBreaks(t *testing.T) {
	t.Parallel()
	good := otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 3, Life: 3 * time.Minute}
	for _, c := range []struct {
		name   string
		policy otp.Policy
		want   string // in the error, "" for none
	}{
		{"a usual policy", good, ""},
		{"one character", otp.Policy{1, "ab", 1, 1}, ""},
		{"the longest code", otp.Policy{otp.MaxCodeLength, otp.Digits, 1, 1}, ""},
		{"no length", otp.Policy{0, otp.Digits, 3, time.Minute}, "length 0"},
		{"a negative length", otp.Policy{-1, otp.Digits, 3, time.Minute}, "length -1"},
		{"too long", otp.Policy{otp.MaxCodeLength + 1, otp.Digits, 3, time.Minute}, "length 65"},
		{"no alphabet", otp.Policy{6, "", 3, time.Minute}, "alphabet of 0"},
		{"one letter", otp.Policy{6, "a", 3, time.Minute}, "alphabet of 1"},
		{"too many letters", otp.Policy{6, otp.Alphabet(strings.Repeat("a", 257)), 3, time.Minute}, "alphabet of 257"},
		{"no attempts", otp.Policy{6, otp.Digits, 0, time.Minute}, "0 attempts"},
		{"no life", otp.Policy{6, otp.Digits, 3, 0}, "life 0s"},
		{"a negative life", otp.Policy{6, otp.Digits, 3, -time.Second}, "life -1s"},
	} {
		err := c.policy.Validate()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: Validate() = %v, want no error", c.name, err)
			}
			continue
		}
		if !errors.Is(err, otp.ErrPolicy) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Validate() = %v, want ErrPolicy naming %q", c.name, err, c.want)
		}
		if code, err := c.policy.Generate(rand.Reader); !errors.Is(err, otp.ErrPolicy) || !code.IsZero() {
			t.Errorf("%s: Generate() = %q, %v; want ErrPolicy", c.name, code.Reveal(), err)
		}
	}
}
