package phone_test

import (
	"testing"

	"github.com/countersign/countersign/internal/phone"
)

func TestInfoSaysCountryAndLine(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]phone.Info{
		"+447400123456":  {"GB", 44, phone.Mobile},
		"+442079460123":  {"GB", 44, phone.FixedLine},
		"+4915123456789": {"DE", 49, phone.Mobile},
		"+12025550123":   {"US", 1, phone.FixedOrMobile},
		"+14165550123":   {"CA", 1, phone.FixedOrMobile},
		"+447911123456":  {"GG", 44, phone.Mobile},
		"+448001111111":  {"GB", 44, phone.OtherLine},
		"+80012345678":   {"", 800, phone.OtherLine},
		"+4412312313":    {"GB", 44, phone.UnknownLine},
		"+447700900123":  {"GB", 44, phone.UnknownLine},
		"+15550123":      {"US", 1, phone.UnknownLine},
		"+99912345678":   {"", 0, phone.UnknownLine},
		"+0000000000000": {"", 0, phone.UnknownLine},
	} {
		n, err := phone.FromE164(e164)
		if got := n.Info(); err != nil || got != want {
			t.Errorf("Info of %s = %+v, %v; want %+v", e164, got, err, want)
		}
	}
}

func TestMainLanguageIsTheLikelyOne(t *testing.T) {
	t.Parallel()
	for country, want := range map[string]string{
		"DE": "de", "AT": "de", "CH": "de", "FR": "fr", "BE": "nl", "BR": "pt", "MX": "es", "US": "en", "GB": "en",
		"GG": "en", "IL": "he", "ID": "id", "HK": "zh", "CN": "zh", "NO": "nb", "XK": "sq", "AC": "en", "de": "de",
		"BY": "ru", "CD": "fr", "DJ": "fr", "MU": "fr", "by": "ru", // not as in CLDR 32
		"SN": "fr", "CF": "fr", "TD": "fr", "SS": "en", "CC": "en", // as in CLDR 32
		"PH": "en", // Filipino has no two-letter code
		"":   "en", "ZZ": "en", "XX": "en", "001": "en", "419": "en", "D": "en", "Deutschland": "en", "D\x00": "en",
	} {
		if got := phone.MainLanguage(country); got != want {
			t.Errorf("MainLanguage(%q) = %q, want %q", country, got, want)
		}
	}
}

func TestALinePrintsInWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[phone.Line]string{
		phone.UnknownLine: "unknown", phone.Mobile: "mobile", phone.FixedLine: "fixed line",
		phone.FixedOrMobile: "fixed line or mobile", phone.OtherLine: "other", phone.Line(99): "unknown",
	} {
		if got := line.String(); got != want {
			t.Errorf("Line(%d).String() = %q, want %q", int(line), got, want)
		}
	}
}

func BenchmarkInfo(b *testing.B) {
	n, err := phone.FromE164("+447400123456")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if n.Info().Line != phone.Mobile {
			b.Fatal("not a mobile")
		}
	}
}
