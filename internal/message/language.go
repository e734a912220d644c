package message

import (
	"slices"
	"strings"
)

// Languages returns the language codes of templates: case-sensitive, with an
// underscore, in the order of contract v4 §4.2, which [ChooseLanguage] relies
// on. There is no bare zh or pt. The caller owns the slice.
func Languages() []string {
	return []string{
		"ar", "bg", "ca", "zh_CN", "zh_HK", "zh_TW", "hr", "cs", "da", "nl", "en", "en_GB", "en_US", "fi",
		"fr", "de", "el", "he", "hu", "id", "it", "ja", "ko", "ms", "nb", "pl", "pt_BR", "pt_PT", "ro", "ru",
		"sk", "sl", "es", "es_ES", "es_MX", "sv", "ta", "te", "th", "tr", "vi",
	}
}

// ChooseLanguage returns the index in available of the language to use when
// wanted is asked for, or -1 if available is empty (contract v4 §8.3). First
// hit wins: wanted itself; its bare language; the other regions of that
// language in the order of [Languages], but of the Chinese of Hong Kong and
// Taiwan each before that of the mainland; en, en_US, en_GB; the first one
// available. Wanted "" means none: the search begins at en.
func ChooseLanguage(wanted string, available []string) int {
	if wanted != "" {
		for _, code := range preferences(wanted) {
			if i := slices.Index(available, code); i >= 0 {
				return i
			}
		}
	}
	for _, code := range [...]string{"en", "en_US", "en_GB"} {
		if i := slices.Index(available, code); i >= 0 {
			return i
		}
	}
	return min(len(available), 1) - 1
}

// preferences returns the codes to look for before English, best first.
func preferences(wanted string) []string {
	bare, _, _ := strings.Cut(wanted, "_")
	codes := []string{wanted, bare}
	switch wanted {
	case "zh_HK":
		codes = append(codes, "zh_TW")
	case "zh_TW":
		codes = append(codes, "zh_HK")
	}
	for _, code := range Languages() {
		if strings.HasPrefix(code, bare+"_") {
			codes = append(codes, code)
		}
	}
	return codes
}
