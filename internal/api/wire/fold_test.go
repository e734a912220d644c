package wire_test

import (
	"testing"

	"github.com/countersign/countersign/internal/api/wire"
)

func TestOnlyLettersOfASCIIAreFolded(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"": "", "sms": "sms", "sMs_Z@[`{": "sms_z@[`{", "\u017fMS": "\u017fms", "\u212aA": "\u212aa", "Ä\xffB": "Ä\xffb",
	} {
		if got := wire.Fold(given); got != want {
			t.Errorf("Fold(%q) = %q; want %q", given, got, want)
		}
		if !wire.EqualFold(given, want) || wire.EqualFold(given, want+"x") {
			t.Errorf("EqualFold(%q, %q) = false, or true with more behind it", given, want)
		}
	}
	for a, b := range map[string]string{"s": "\u017f", "k": "\u212a", "Ä": "ä", "@": "`", "[": "{"} {
		if wire.EqualFold(a, b) {
			t.Errorf("EqualFold(%q, %q) = true", a, b)
		}
	}
}
