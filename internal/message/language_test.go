package message_test

import (
	"testing"

	"github.com/countersign/countersign/internal/message"
)

func TestThereAreFortyOneLanguages(t *testing.T) {
	t.Parallel()
	languages := message.Languages()
	if len(languages) != 41 {
		t.Errorf("%d languages, want 41", len(languages))
	}
	seen := map[string]bool{}
	for _, code := range languages {
		if seen[code] {
			t.Errorf("%q is listed twice", code)
		}
		seen[code] = true
	}
}

func TestTheNearestLanguageIsChosen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wanted    string
		available []string
		want      string
	}{
		// the rows of contract v4 §8.3
		{"de", []string{"en", "de"}, "de"},
		{"es_MX", []string{"en", "es"}, "es"},
		{"es", []string{"en", "es_MX", "es_ES"}, "es_ES"},
		{"zh_HK", []string{"zh_CN", "zh_TW"}, "zh_TW"},
		{"pt_PT", []string{"en_US", "pt_BR"}, "pt_BR"},
		{"fr", []string{"de", "en_GB", "en_US"}, "en_US"},
		{"fr", []string{"de", "it"}, "de"},
		{"", []string{"de", "en"}, "en"},
		{"", []string{"it"}, "it"},
		// what the rules say beside them
		{"zh_TW", []string{"zh_CN", "zh_HK"}, "zh_HK"},
		{"zh_CN", []string{"zh_TW", "zh_HK"}, "zh_HK"},
		{"zh_HK", []string{"en", "zh_CN"}, "zh_CN"},
		{"en_GB", []string{"en_US", "en"}, "en"},
		{"en_GB", []string{"de", "en_US"}, "en_US"},
		{"es_MX", []string{"es_ES", "es_MX", "es"}, "es_MX"},
		{"", []string{"de", "en_GB", "en_US"}, "en_US"},
		{"", []string{"de", "it"}, "de"},
		{"e", []string{"de", "es_ES"}, "de"}, // a prefix is not a language
		{"xx", []string{"de", "xx"}, "xx"},
	} {
		i := message.ChooseLanguage(c.wanted, c.available)
		if i < 0 || c.available[i] != c.want {
			t.Errorf("ChooseLanguage(%q, %v) = %d, want %s", c.wanted, c.available, i, c.want)
		}
	}
}

func TestTheFirstOfEqualLanguagesIsChosen(t *testing.T) {
	t.Parallel()
	if i := message.ChooseLanguage("de", []string{"en", "de", "de"}); i != 1 {
		t.Errorf("ChooseLanguage = %d, want 1", i)
	}
}

func TestNoLanguageIsChosenFromNone(t *testing.T) {
	t.Parallel()
	for _, wanted := range []string{"", "en"} {
		if i := message.ChooseLanguage(wanted, nil); i != -1 {
			t.Errorf("ChooseLanguage(%q, nil) = %d, want -1", wanted, i)
		}
	}
}
