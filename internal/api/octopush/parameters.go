package octopush

import (
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
)

// parameter is a row of the tables below.
type parameter struct {
	name string
	cast cast
	// setting is the account setting that says what holds where a request says
	// nothing usable; "" for otherwise.
	setting   string
	otherwise string
}

// Channels and languages of this API.
const (
	channelSMS   = "sms"
	channelVoice = "voice_sms"
)

// Voices of this API.
const (
	male   = "male"
	female = "female"
)

// Bounds of what a request and the account settings may say.
const (
	leastCodeLength, mostCodeLength = 4, 32
	leastValidity, mostValidity     = 3, 10_000_000 // seconds
	leastAttempts, mostAttempts     = 1, 10
)

// languages of voice messages; of several that share a bare language, the first
// is meant by it. Never changed.
var languages = []string{
	"en-US", "en-GB", "el-GR", "pl-PL", "hu-HU", "sv-SE", "de-DE", "es-ES", "es-LA", "fr-FR", "it-IT", "pt-BR", "ru-RU",
}

// generateParameters are Octopush OTP §3. Never changed.
var generateParameters = []parameter{
	{name: "phone_number", cast: trimmed},
	{
		name: "channel", setting: "octopush.channel",
		cast: oneOf([]string{channelSMS, channelVoice}, alias{"text_sms", channelSMS}, alias{"sms_voice", channelVoice}, alias{"voice", channelVoice}),
	},
	{name: "text", cast: printable, setting: "octopush.text"},
	{name: "sender", cast: sender, setting: "octopush.sender"},
	{name: "code_length", cast: integer(leastCodeLength, mostCodeLength), setting: "octopush.code_length"},
	{name: "allow_digits", cast: boolean, setting: "octopush.allow_digits"},
	{name: "allow_upper_case", cast: boolean, setting: "octopush.allow_upper_case"},
	{name: "allow_lower_case", cast: boolean, setting: "octopush.allow_lower_case"},
	{name: "allow_special_chars", cast: boolean, setting: "octopush.allow_special_chars"},
	{name: "remove_confusing_characters", cast: boolean, setting: "octopush.remove_confusing_characters"},
	{name: "validity_period", cast: integer(leastValidity, mostValidity), setting: "octopush.validity_period"},
	{name: "max_wrong_attempts", cast: integer(leastAttempts, mostAttempts), setting: "octopush.max_wrong_attempts"},
	{name: "recipient_ip", cast: address},
	{name: "voice_language", cast: oneOf(languages, bare(languages)...), setting: "octopush.voice_language"},
	{
		name: "voice_gender", setting: "octopush.voice_gender",
		cast: oneOf([]string{male, female}, alias{"m", male}, alias{"f", female}),
	},
	{name: "simulation_mode", cast: boolean, otherwise: no},
}

// validateParameters are Octopush OTP §4. Never changed.
var validateParameters = []parameter{
	{name: "code", cast: trimmed},
	{name: "otp_request_token", cast: str},
	{name: "phone_number", cast: trimmed},
	{name: "recipient_ip", cast: address},
}

// presence says what became of a parameter.
type presence uint8

const (
	absent   presence = iota // not in the request, null or blank
	unusable                 // in it, but nothing can be made of it
	usable
)

// field is a parameter as it holds.
type field struct {
	text   string // as the cast spells it, or the default
	given  presence
	number bool // given as a JSON number, usable or not
}

// input is a decoded request: a field for each parameter of its table.
type input map[string]field

// decode reads the parameters from an object; of a member that comes twice, the
// last counts, and members that no table names do not. setting returns the
// account's choice.
func decode(parameters []parameter, object wire.Value, setting func(key string) string) input {
	in := make(input, len(parameters))
	for _, p := range parameters {
		v := object.Last(p.name)
		number := v.Kind == wire.Number
		if text, ok := p.cast(v); ok {
			in[p.name] = field{text, usable, number}
			continue
		}
		f := field{p.otherwise, unusable, number}
		if v.Kind == wire.Null || v.Kind == wire.String && strings.TrimSpace(v.Text) == "" {
			f.given = absent
		}
		if p.setting != "" {
			f.text = setting(p.setting)
		}
		in[p.name] = f
	}
	return in
}

// text returns a parameter's value.
func (in input) text(name string) string { return in[name].text }

// yes returns a boolean's value.
func (in input) yes(name string) bool { return in[name].text == yes }

// number returns an integer's value. Casts and settings write nothing else than
// integers; 0, which no policy accepts, for anything else.
func (in input) number(name string) int {
	n, err := strconv.Atoi(in[name].text)
	if err != nil {
		return 0
	}
	return n
}
