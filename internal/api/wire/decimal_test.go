package wire_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/api/wire"
)

func TestADecimalIsWrittenOutWithoutLossUpToABound(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "0.0": "0", "7": "7", "7.0": "7", "-7.50": "-7.5", "+.5": "0.5", "5.": "5", "007": "7",
		"4915123456789.0": "4915123456789", "4.915123456789e12": "4915123456789", "49151E-2": "491.51", "1e-3": "0.001",
		strings.Repeat("1", 64): strings.Repeat("1", 64), "1e63": "1" + strings.Repeat("0", 63),
		strings.Repeat("1", 65): "", "1e64": "", "1e-65": "", "1e99999999999999999999": "", "1e-99999999999999999999": "",
		"0e99999999999999999999": "0",
	} {
		d, ok := wire.ParseDecimal(text)
		got, fits := d.Plain()
		if !ok || got != want || fits != (want != "") {
			t.Errorf("%s is read = %v and written out as %q, %v; want %q", text, ok, got, fits, want)
		}
	}
	for _, text := range []string{"", "-", ".", "e1", "1e", "1.2.3", "0x1", "1 ", "Inf", "١"} {
		if _, ok := wire.ParseDecimal(text); ok {
			t.Errorf("%q is read as a number", text)
		}
	}
}

func TestADecimalAsAnIntegerLosesItsFractionOnly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"7": 7, "7.99": 7, "-7.99": -7, "0.9": 0, "7e2": 700, "9223372036854775807": 9223372036854775807, "-9223372036854775808": -9223372036854775808,
	} {
		d, _ := wire.ParseDecimal(text)
		if got, ok := d.Integer(); !ok || got != want {
			t.Errorf("%s as an integer = %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"9223372036854775808", "1e19", "1e400"} {
		d, _ := wire.ParseDecimal(text)
		if got, ok := d.Integer(); ok {
			t.Errorf("%s as an integer = %d; want none, it has more than 64 bits", text, got)
		}
	}
}
