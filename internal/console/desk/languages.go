package desk

import (
	"cmp"
	"slices"

	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
)

// languageNames are what people call the languages of templates.
func languageNames() map[string]string {
	return map[string]string{
		"ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "zh_CN": "Chinese (simplified)", "zh_HK": "Chinese (Hong Kong)",
		"zh_TW": "Chinese (Taiwan)", "hr": "Croatian", "cs": "Czech", "da": "Danish", "nl": "Dutch", "en": "English",
		"en_GB": "English (UK)", "en_US": "English (US)", "fi": "Finnish", "fr": "French", "de": "German", "el": "Greek",
		"he": "Hebrew", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "ms": "Malay",
		"nb": "Norwegian", "pl": "Polish", "pt_BR": "Portuguese (Brazil)", "pt_PT": "Portuguese (Portugal)", "ro": "Romanian",
		"ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "es": "Spanish", "es_ES": "Spanish (Spain)", "es_MX": "Spanish (Mexico)",
		"sv": "Swedish", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish", "vi": "Vietnamese",
	}
}

func languageName(code string) string { return cmp.Or(languageNames()[code], code) }

// languageOptions are the languages that a template can have, by their names.
func languageOptions() []page.Option {
	var all []page.Option
	for _, code := range message.Languages() {
		all = append(all, page.Option{Value: code, Label: languageName(code) + " – " + code})
	}
	slices.SortFunc(all, func(a, b page.Option) int { return cmp.Compare(a.Label, b.Label) })
	return all
}

// channelName is what people call a channel.
func channelName(c message.Channel) string {
	switch c {
	case message.SMS:
		return "SMS"
	case message.Voice:
		return "Phone call"
	case message.WhatsApp:
		return "WhatsApp"
	case message.Viber:
		return "Viber"
	case message.Email:
		return "E-mail"
	}
	return string(c)
}
