package octopush_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/octopush"
)

func TestSettingsAdmitWhatTheyExpect(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("ü", n) }
	for key, c := range map[string]struct{ good, bad []string }{
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
			if err := octopush.Settings().Validate(key, value); err != nil {
				t.Errorf("%s=%q: %v; want it admitted", key, value, err)
			}
		}
		for _, value := range c.bad {
			if err := octopush.Settings().Validate(key, value); !errors.Is(err, account.ErrSettingValue) {
				t.Errorf("%s=%q: %v; want ErrSettingValue", key, value, err)
			}
		}
	}
	for _, key := range []string{"octopush", "octopush.phone_number", "octopush.simulation_mode"} {
		if err := octopush.Settings().Validate(key, "x"); !errors.Is(err, account.ErrUnknownSetting) || !strings.Contains(err.Error(), "octopush.code_length") {
			t.Errorf("%q: %v; want ErrUnknownSetting with the known keys", key, err)
		}
	}
}

func TestEverySettingHasAValidDefaultAndItsWords(t *testing.T) {
	t.Parallel()
	common := account.Common()
	for _, s := range octopush.Settings() {
		if err := octopush.Settings().Validate(s.Key, s.Default); err != nil {
			t.Errorf("default of %s: %v", s.Key, err)
		}
		twice := slices.ContainsFunc(common, func(c account.Setting) bool { return c.Key == s.Key })
		if s.Expected == "" || s.Meaning == "" || twice || !strings.HasPrefix(s.Key, "octopush.") {
			t.Errorf("%s lacks words, is a common one, or is not named for this API", s.Key)
		}
	}
}

func TestADefaultHoldsWhereAnAccountNamesNone(t *testing.T) {
	t.Parallel()
	a := account.Account{Settings: map[string]string{"octopush.code_length": "8", "octopush.sender": ""}}
	for key, want := range map[string]string{"octopush.code_length": "8", "octopush.sender": "OTP", "octopush.voice_gender": "female", "octopush.nonsense": ""} {
		if got := octopush.Settings().Of(a, key); got != want {
			t.Errorf("%s = %q; want %q", key, got, want)
		}
	}
}
