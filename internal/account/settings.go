package account

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones without the machine's files
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/phone"
)

// The settings that no single API owns.
const (
	SettingSender      = "sender"
	SettingCaller      = "caller"
	SettingSenderViber = "sender_viber"
	SettingSenderWA    = "sender_wa"
	SettingCountry     = "country"
	SettingTimezone    = "timezone"
)

// Setting describes one choice that operators make for an account.
type Setting struct {
	Key      string
	Default  string // what holds while nothing is set; "" for nothing
	Expected string // what a value has to be, after "expected "
	Meaning  string

	valid func(value string) bool
}

// Errors of settings. Both are wrapped with the key and what was expected.
var (
	ErrUnknownSetting = errors.New("unknown setting")
	ErrSettingValue   = errors.New("wrong value")
)

var (
	viberSender    = regexp.MustCompile(`^[0-9]{4,8}$`)
	whatsAppSender = regexp.MustCompile(`^\+?[0-9]{6,15}$`)
	octopushSender = regexp.MustCompile(`^[A-Za-z0-9]{3,11}$`)
	countryForm    = regexp.MustCompile(`^[A-Z]{2}$`)
)

// settings is never changed.
var settings = []Setting{
	{SettingSender, "", "1 to 16 characters without control characters", "SMS sender where a request names none", plainText(1, 16)},
	{SettingCaller, "", "1 to 32 characters without control characters", "voice caller where a request names none", plainText(1, 32)},
	{SettingSenderViber, "", "4 to 8 digits", "Viber service id where a request names none", viberSender.MatchString},
	{SettingSenderWA, "", "6 to 15 digits, with or without +", "WhatsApp business number where a request names none", whatsAppSender.MatchString},
	{SettingCountry, "", "a country's two capital letters (ISO 3166-1), such as GB", "country of numbers without calling code", knownCountry},
	{SettingTimezone, "UTC", "a name of the time zone database, such as Europe/Berlin", "time zone of times of day in messages", knownZone},

	{"octopush.channel", "sms", "sms or voice_sms", "channel", oneOf("sms", "voice_sms")},
	{"octopush.text", "", "1 to 1224 characters", "text; nothing makes the message the code alone", text(1, 1224)},
	{"octopush.sender", "OTP", "3 to 11 of a-z, A-Z and 0-9", "SMS sender", octopushSender.MatchString},
	{"octopush.code_length", "6", wholeNumber(4, 32), "length of the code", number(4, 32)},
	{"octopush.allow_digits", "true", trueOrFalse, "0 to 9 in codes", oneOf("true", "false")},
	{"octopush.allow_upper_case", "false", trueOrFalse, "A to Z in codes", oneOf("true", "false")},
	{"octopush.allow_lower_case", "false", trueOrFalse, "a to z in codes", oneOf("true", "false")},
	{"octopush.allow_special_chars", "false", trueOrFalse, "! # $ % & ? @ in codes", oneOf("true", "false")},
	{"octopush.remove_confusing_characters", "false", trueOrFalse, "no 0 O o 1 I l in codes of several kinds of characters", oneOf("true", "false")},
	{"octopush.validity_period", "300", wholeNumber(3, 10_000_000), "lifetime in seconds", number(3, 10_000_000)},
	{"octopush.max_wrong_attempts", "3", wholeNumber(1, 10), "wrong codes allowed", number(1, 10)},
	{"octopush.voice_language", "en-US", "one of " + strings.Join(octopushLanguages(), " "), "language of voice messages", oneOf(octopushLanguages()...)},
	{"octopush.voice_gender", "female", "male or female", "voice of voice messages", oneOf("male", "female")},
	{"octopush.recipient_ip", "required", "required or if_present", "whether a check must repeat the address that the OTP is bound to, or may leave it out", oneOf("required", "if_present")},
	{"octopush.max_validity_period", "10000000", wholeNumber(3, 10_000_000), "longest lifetime in seconds; longer ones become this", number(3, 10_000_000)},
	{"octopush.choose_sender", "true", trueOrFalse, "whether requests may choose the SMS sender", oneOf("true", "false")},
}

func octopushLanguages() []string {
	return []string{
		"en-US", "en-GB", "el-GR", "pl-PL", "hu-HU", "sv-SE", "de-DE", "es-ES", "es-LA", "fr-FR", "it-IT", "pt-BR", "ru-RU",
	}
}

// Settings returns every setting there is, in the order of the documentation.
// The caller owns the slice.
func Settings() []Setting { return slices.Clone(settings) }

// Setting returns the account's value, or the default: "" for an unknown key.
func (a Account) Setting(key string) string {
	if value := a.Settings[key]; value != "" {
		return value
	}
	s, _ := find(key)
	return s.Default
}

// ValidateSetting reports whether key can have value; "" stands for the
// default, which every one can have. The error is ErrUnknownSetting or
// ErrSettingValue with what was expected; it does not quote the value.
func ValidateSetting(key, value string) error {
	s, ok := find(key)
	if !ok {
		return fmt.Errorf("%w %q: expected one of %s", ErrUnknownSetting, key, strings.Join(keys(), ", "))
	}
	if value != "" && !s.valid(value) {
		return fmt.Errorf("%w for %s: expected %s", ErrSettingValue, key, s.Expected)
	}
	return nil
}

func find(key string) (Setting, bool) {
	at := slices.IndexFunc(settings, func(s Setting) bool { return s.Key == key })
	if at < 0 {
		return Setting{}, false
	}
	return settings[at], true
}

func keys() []string {
	out := make([]string, 0, len(settings))
	for _, s := range settings {
		out = append(out, s.Key)
	}
	return out
}

const trueOrFalse = "true or false"

func oneOf(words ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(words, value) }
}

// text admits least to most characters of valid UTF-8.
func text(least, most int) func(string) bool {
	return func(value string) bool {
		n := utf8.RuneCountInString(value)
		return utf8.ValidString(value) && least <= n && n <= most
	}
}

// plainText is text without control characters.
func plainText(least, most int) func(string) bool {
	fits := text(least, most)
	return func(value string) bool { return fits(value) && !strings.ContainsFunc(value, unicode.IsControl) }
}

func wholeNumber(least, most int) string {
	return fmt.Sprintf("a whole number from %d to %d", least, most)
}

// number admits least to most, written as the number is printed.
func number(least, most int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && strconv.Itoa(n) == value && least <= n && n <= most
	}
}

// knownCountry asks the number plans, since that is what the setting is for.
func knownCountry(value string) bool {
	_, err := phone.ResolveWithDefault("0", value)
	return countryForm.MatchString(value) && !errors.Is(err, phone.ErrUnknownCountry)
}

// knownZone admits no "Local": that would be another zone on another machine.
func knownZone(value string) bool {
	_, err := time.LoadLocation(value)
	return err == nil && value != "Local"
}
