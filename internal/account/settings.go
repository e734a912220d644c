package account

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones without the machine's files
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/phone"
)

// The common settings, which no single API owns.
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
	// Valid reports whether value can be set. It is not asked about "", which
	// stands for the default.
	Valid func(value string) bool
}

// Settings are the choices that a deployment knows: the common ones, and those of
// APIs, which bring them along. No two have one key.
type Settings []Setting

// Errors of settings. Both are wrapped with the key and what was expected.
var (
	ErrUnknownSetting = errors.New("unknown setting")
	ErrSettingValue   = errors.New("wrong value")
)

var (
	viberSender    = regexp.MustCompile(`^[0-9]{4,8}$`)
	whatsAppSender = regexp.MustCompile(`^\+?[0-9]{6,15}$`)
	countryForm    = regexp.MustCompile(`^[A-Z]{2}$`)
)

// common is never changed.
var common = Settings{
	{SettingSender, "", "1 to 16 characters without control characters", "SMS sender where a request names none", plainText(1, 16)},
	{SettingCaller, "", "1 to 32 characters without control characters", "voice caller where a request names none", plainText(1, 32)},
	{SettingSenderViber, "", "4 to 8 digits", "Viber service id where a request names none", viberSender.MatchString},
	{SettingSenderWA, "", "6 to 15 digits, with or without +", "WhatsApp business number where a request names none", whatsAppSender.MatchString},
	{SettingCountry, "", "a country's two capital letters (ISO 3166-1), such as GB", "country of numbers without calling code", knownCountry},
	{SettingTimezone, "UTC", "a name of the time zone database, such as Europe/Berlin", "time zone of times of day in messages", knownZone},
}

// Common returns the common settings, in the order of the documentation. The
// caller owns the slice.
func Common() Settings { return slices.Clone(common) }

// Setting returns the account's value of a common setting, or its default.
func (a Account) Setting(key string) string { return common.Of(a, key) }

// Of returns the account's value, or the default: "" for an unknown key.
func (s Settings) Of(a Account, key string) string {
	if value := a.Settings[key]; value != "" {
		return value
	}
	found, _ := s.find(key)
	return found.Default
}

// Validate reports whether key can have value; "" stands for the default, which
// every one can have. The error is ErrUnknownSetting or ErrSettingValue with what
// was expected; it does not quote the value.
func (s Settings) Validate(key, value string) error {
	found, ok := s.find(key)
	if !ok {
		return fmt.Errorf("%w %q: expected one of %s", ErrUnknownSetting, key, strings.Join(s.keys(), ", "))
	}
	if value != "" && !found.Valid(value) {
		return fmt.Errorf("%w for %s: expected %s", ErrSettingValue, key, found.Expected)
	}
	return nil
}

func (s Settings) find(key string) (Setting, bool) {
	at := slices.IndexFunc(s, func(one Setting) bool { return one.Key == key })
	if at < 0 {
		return Setting{}, false
	}
	return s[at], true
}

func (s Settings) keys() []string {
	out := make([]string, 0, len(s))
	for _, one := range s {
		out = append(out, one.Key)
	}
	return out
}

// plainText admits least to most characters of valid UTF-8 that control nothing.
func plainText(least, most int) func(string) bool {
	return func(value string) bool {
		n := utf8.RuneCountInString(value)
		return utf8.ValidString(value) && least <= n && n <= most && !strings.ContainsFunc(value, unicode.IsControl)
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
