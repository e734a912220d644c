package account_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
)

func TestSettingsAdmitWhatTheyExpect(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ü", n) }
	for key, c := range map[string]struct{ good, bad []string }{
		"sender":                      {[]string{"A", "ACME Inc. & Co.", long(16), "+491511234567"}, []string{long(17), "a\nb", "a\x00", "\x7f", "\xff", "\u0085"}},
		"caller":                      {[]string{"1", long(32)}, []string{long(33), "a\tb"}},
		"sender_viber":                {[]string{"1234", "12345678"}, []string{"123", "123456789", "12a4", "+1234", "1234\n", "١٢٣٤"}},
		"sender_wa":                   {[]string{"123456", "+123456", "123456789012345"}, []string{"12345", "1234567890123456", "++123456", "12 3456"}},
		"country":                     {[]string{"GB", "US", "DE"}, []string{"gb", "G", "GBR", "ZZ", "XX", "49", "日本"}},
		"timezone":                    {[]string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"}, []string{"Local", "Mars/Olympus", "../etc/passwd", "europe berlin"}},
		"octopush.channel":            {[]string{"sms", "voice_sms"}, []string{"SMS", "voice", "whatsapp"}},
		"octopush.text":               {[]string{"x", "Code {code}\n", long(1224)}, []string{long(1225), "\xff"}},
		"octopush.sender":             {[]string{"OTP", "Acme1234567"}, []string{"ab", "Acme12345678", "A B C", "Äcme"}},
		"octopush.code_length":        {[]string{"4", "32"}, []string{"3", "33", "06", "6.0", " 6", "+6", "six", "99999999999999999999"}},
		"octopush.allow_digits":       {[]string{"true", "false"}, []string{"TRUE", "1", "yes"}},
		"octopush.voice_gender":       {[]string{"male", "female"}, []string{"m", "Male"}},
		"octopush.voice_language":     {[]string{"en-US", "ru-RU"}, []string{"en", "en_US", "xx-XX"}},
		"octopush.validity_period":    {[]string{"3", "10000000"}, []string{"2", "10000001", "-3"}},
		"octopush.max_wrong_attempts": {[]string{"1", "10"}, []string{"0", "11"}},
	} {
		for _, value := range append(c.good, "") {
			if err := account.ValidateSetting(key, value); err != nil {
				t.Errorf("%s=%q: %v; want it admitted", key, value, err)
			}
		}
		for _, value := range c.bad {
			if err := account.ValidateSetting(key, value); !errors.Is(err, account.ErrSettingValue) {
				t.Errorf("%s=%q: %v; want ErrSettingValue", key, value, err)
			}
		}
	}
}

func TestAnErrorNamesTheSettingAndWhatWasExpectedButNotTheValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"octopush.code_length", "canary", "wrong value for octopush.code_length: expected a whole number from 4 to 32"},
		{"sender_wa", "canary", "wrong value for sender_wa: expected 6 to 15 digits, with or without +"},
	} {
		err := account.ValidateSetting(c.key, c.value)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v; want %s", c.key, err, c.want)
		}
	}
	for _, key := range []string{"", "Sender", "octopush", "octopush.phone_number", "octopush.simulation_mode", "senders"} {
		err := account.ValidateSetting(key, "x")
		if !errors.Is(err, account.ErrUnknownSetting) || !strings.Contains(err.Error(), "octopush.code_length") {
			t.Errorf("%q: %v; want ErrUnknownSetting with the known keys", key, err)
		}
	}
}

func TestEverySettingHasAValidDefaultAndItsWords(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, s := range account.Settings() {
		if err := account.ValidateSetting(s.Key, s.Default); err != nil {
			t.Errorf("default of %s: %v", s.Key, err)
		}
		if s.Expected == "" || s.Meaning == "" || keys[s.Key] {
			t.Errorf("%s lacks words or is listed twice", s.Key)
		}
		keys[s.Key] = true
	}
	for key := range strings.FieldsSeq("sender caller sender_viber sender_wa country timezone octopush.channel octopush.text " +
		"octopush.sender octopush.code_length octopush.allow_digits octopush.allow_upper_case octopush.allow_lower_case " +
		"octopush.allow_special_chars octopush.remove_confusing_characters octopush.validity_period " +
		"octopush.max_wrong_attempts octopush.voice_language octopush.voice_gender") {
		if !keys[key] {
			t.Errorf("no setting %s", key)
		}
	}
}

func TestASettingIsTheAccountsOrTheDefault(t *testing.T) {
	t.Parallel()
	a := account.Account{Settings: map[string]string{"octopush.code_length": "8", "timezone": ""}}
	for key, want := range map[string]string{
		"octopush.code_length": "8", "octopush.sender": "OTP", "timezone": "UTC", "sender": "", "nonsense": "",
	} {
		if got := a.Setting(key); got != want {
			t.Errorf("Setting(%q) = %q; want %q", key, got, want)
		}
	}
	if got := (account.Account{}).Setting("octopush.voice_gender"); got != "female" {
		t.Errorf("default of an account without settings = %q; want female", got)
	}
}

func TestTheListOfSettingsIsTheCallers(t *testing.T) {
	t.Parallel()
	account.Settings()[0].Key = "spoilt"
	if got := account.Settings()[0].Key; got != "sender" {
		t.Errorf("first setting = %q after a caller changed its list", got)
	}
}

func TestAccountNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "0": true, "acme-2_b": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "_a": false, "A": false, "a b": false, "a\n": false, "é": false, strings.Repeat("a", 64): false,
	} {
		if got := account.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v; want %v", name, got, want)
		}
	}
}
