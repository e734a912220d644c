package phone_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/phone"
)

func TestSyntaxReadsWhatIsWrittenLikeANumber(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"+4915112345678":        "+4915112345678",
		"4915112345678":         "+4915112345678",
		"0049 151 1234-5678":    "+4915112345678",
		" (+49) 151/1234.5678 ": "+4915112345678",
		"0 0 4 9 151 12345678":  "+4915112345678",
		"+0000000000000":        "+0000000000000",
		"0000000000000":         "+00000000000",
		"0151 12345678":         "+015112345678",
		"+1234567":              "+1234567",
		"+123456789012345":      "+123456789012345",
		"00123456789012345":     "+123456789012345",

		"+49" + strings.Repeat(" ", 99) + "12345": "+4912345",
	} {
		n, err := phone.Syntax(input)
		if err != nil || n.Reveal() != want {
			t.Errorf("Syntax(%q) = %q, %v; want %q", input, n.Reveal(), err, want)
		}
	}
}

func TestSyntaxRefusesEverythingElse(t *testing.T) {
	t.Parallel()
	for _, input := range []string{
		"", " ", "+", "00", "+49abc", "+12345", "123456", "+1234567890123456", "++4915112345678", "49+15112345678",
		"+49\t15112345678", "+4915112345678\n", "+49\u00a015112345678", "+49151123456７8", "tel:+4915112345678",
		"+4915112345678;ext=1", "+4915112345678x1", "\x00+4915112345678", strings.Repeat("1", 100_000),
	} {
		n, err := phone.Syntax(input)
		if !errors.Is(err, phone.ErrNotANumber) || !n.IsZero() {
			t.Errorf("Syntax(%.40q) = %q, %v; want ErrNotANumber", input, n.Reveal(), err)
		}
	}
}

func TestANumberThatBeginsWithZeroCannotExist(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]bool{"+0000000000000": false, "+4915112345678": true, "+99912345678": true} {
		n, err := phone.Syntax(input)
		if err != nil || n.CanExist() != want {
			t.Errorf("Syntax(%q).CanExist() = %v, %v; want %v", input, n.CanExist(), err, want)
		}
	}
}

func TestSyntaxAllocatesAtMostTwice(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the whole process
	kept, err := phone.Syntax("+4915112345678") // keeps the handle alive
	if err != nil {
		t.Fatal(err)
	}
	got := testing.AllocsPerRun(1000, func() {
		if n, err := phone.Syntax("0049 151 1234-5678"); err != nil || n != kept {
			t.Errorf("Syntax = %v, %v", n, err)
		}
	})
	if got > 2 {
		t.Errorf("Syntax allocates %v times, want at most 2", got)
	}
}

func BenchmarkSyntax(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := phone.Syntax("0049 151 1234-5678"); err != nil {
			b.Fatal(err)
		}
	}
}
