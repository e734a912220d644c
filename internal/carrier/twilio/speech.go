package twilio

import (
	"encoding/xml"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// speech is what a call says.
type speech struct {
	// Text has pauseMark behind each character of the code but the last.
	Text     string `json:"t"`
	Language string `json:"l,omitempty"` // Twilio's; "" leaves it to the account
	Voice    string `json:"v,omitempty"` // Twilio's; "" leaves it to the account
}

// pauseMark stands for the pause between two characters of the code. It is a
// character of the private use area; a text that has it by itself gets a pause.
const pauseMark = "\uE000"

// speech returns what a call says. The code's characters stand apart.
func (s *settled) speech(m delivery.Message) speech {
	apart := strings.Join(strings.Split(m.Code.Reveal(), ""), pauseMark)
	language := languageOf(m.Step.Language)
	return speech{
		Text:     m.Step.Text.Render(apart, message.Plain),
		Language: language, Voice: s.voice(language, m.Step.Voice),
	}
}

// twiml returns the document that says the words twice, each character of the
// code by itself: behind a comma, and where the voice knows SSML, a pause too.
func (p speech) twiml() string {
	pause := ", "
	if p.ssml() {
		pause = `, <break time="600ms"/>`
	}
	var words, attributes strings.Builder
	for i, part := range strings.Split(p.Text, pauseMark) {
		if i > 0 {
			words.WriteString(pause)
		}
		_ = xml.EscapeText(&words, []byte(part)) // a Builder takes everything
	}
	for _, a := range [][2]string{{"language", p.Language}, {"voice", p.Voice}} {
		if a[1] != "" {
			attributes.WriteString(" " + a[0] + `="`)
			_ = xml.EscapeText(&attributes, []byte(a[1]))
			attributes.WriteString(`"`)
		}
	}
	say := `<Pause length="1"/><Say` + attributes.String() + `>` + words.String() + `</Say>`
	return `<?xml version="1.0" encoding="UTF-8"?><Response>` + say + say + `</Response>`
}

// hangUp is the document that says nothing.
const hangUp = `<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>`

// ssml reports whether the voice knows SSML: those of Amazon and Google do,
// Twilio's own two do not.
func (p speech) ssml() bool {
	return strings.HasPrefix(p.Voice, "Polly.") || strings.HasPrefix(p.Voice, "Google.")
}

// voice returns the voice for a language and a gender, "male", "female" or "":
// the configuration's, else Twilio's own two in the languages that they speak,
// else the account's for the language.
func (s *settled) voice(language, gender string) string {
	for _, key := range []string{language + "/" + gender, language, "*/" + gender, "*"} {
		if v := s.Voices[key]; v != "" {
			return v
		}
	}
	switch language {
	case "en-US", "en-GB", "es-ES", "fr-FR", "de-DE", "it-IT":
		return map[string]string{"male": "man", "female": "woman"}[gender]
	}
	return ""
}

// regions are the regions whose voices speak a language that is asked for
// without one. It is read only.
var regions = map[string]string{
	"ar": "arb", "bg": "bg-BG", "ca": "ca-ES", "cs": "cs-CZ", "da": "da-DK", "de": "de-DE", "el": "el-GR", "en": "en-US",
	"es": "es-ES", "fi": "fi-FI", "fr": "fr-FR", "he": "he-IL", "hr": "hr-HR", "hu": "hu-HU", "id": "id-ID", "it": "it-IT",
	"ja": "ja-JP", "ko": "ko-KR", "ms": "ms-MY", "nb": "nb-NO", "nl": "nl-NL", "pl": "pl-PL", "pt": "pt-PT", "ro": "ro-RO",
	"ru": "ru-RU", "sk": "sk-SK", "sl": "sl-SI", "sv": "sv-SE", "ta": "ta-IN", "te": "te-IN", "th": "th-TH", "tr": "tr-TR",
	"vi": "vi-VN", "zh": "cmn-CN",
	"es-LA": "es-MX", "zh-CN": "cmn-CN", "zh-HK": "yue-CN", "zh-TW": "cmn-TW",
}

// languageOf returns a language in Twilio's form, a language and a region:
// "en_GB" is "en-GB" and "de" is "de-DE". What is no language is left to the
// account.
func languageOf(language string) string {
	tongue, region, _ := strings.Cut(strings.ReplaceAll(language, "_", "-"), "-")
	if tongue = strings.ToLower(tongue); strings.Trim(tongue, "abcdefghijklmnopqrstuvwxyz") != "" || len(tongue) < 2 || len(tongue) > 3 {
		return ""
	}
	code := tongue
	if region != "" {
		code += "-" + strings.ToUpper(region)
	}
	if full, ok := regions[code]; ok {
		return full
	}
	if len(region) != 2 || strings.ContainsFunc(region, func(r rune) bool { return !letter(r) }) {
		return regions[tongue]
	}
	return code
}
