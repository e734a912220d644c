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
		"sender":       {[]string{"A", "ACME Inc. & Co.", long(16), "+491511234567"}, []string{long(17), "a\nb", "a\x00", "\x7f", "\xff", "\u0085"}},
		"caller":       {[]string{"1", long(32)}, []string{long(33), "a\tb"}},
		"sender_viber": {[]string{"1234", "12345678"}, []string{"123", "123456789", "12a4", "+1234", "1234\n", "١٢٣٤"}},
		"sender_wa":    {[]string{"123456", "+123456", "123456789012345"}, []string{"12345", "1234567890123456", "++123456", "12 3456"}},
		"country":      {[]string{"GB", "US", "DE"}, []string{"gb", "G", "GBR", "ZZ", "XX", "49", "日本"}},
		"timezone":     {[]string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"}, []string{"Local", "Mars/Olympus", "../etc/passwd", "europe berlin"}},
	} {
		for _, value := range append(c.good, "") {
			if err := account.Common().Validate(key, value); err != nil {
				t.Errorf("%s=%q: %v; want it admitted", key, value, err)
			}
		}
		for _, value := range c.bad {
			if err := account.Common().Validate(key, value); !errors.Is(err, account.ErrSettingValue) {
				t.Errorf("%s=%q: %v; want ErrSettingValue", key, value, err)
			}
		}
	}
}

func TestAnErrorNamesTheSettingAndWhatWasExpectedButNotTheValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"country", "canary", "wrong value for country: expected a country's two capital letters (ISO 3166-1), such as GB"},
		{"sender_wa", "canary", "wrong value for sender_wa: expected 6 to 15 digits, with or without +"},
	} {
		err := account.Common().Validate(c.key, c.value)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v; want %s", c.key, err, c.want)
		}
	}
	for _, key := range []string{"", "Sender", "senders"} {
		err := account.Common().Validate(key, "x")
		if !errors.Is(err, account.ErrUnknownSetting) || !strings.Contains(err.Error(), "sender_viber") {
			t.Errorf("%q: %v; want ErrUnknownSetting with the known keys", key, err)
		}
	}
}

func TestEverySettingHasAValidDefaultAndItsWords(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	for _, s := range account.Common() {
		if err := account.Common().Validate(s.Key, s.Default); err != nil {
			t.Errorf("default of %s: %v", s.Key, err)
		}
		if s.Expected == "" || s.Meaning == "" || keys[s.Key] {
			t.Errorf("%s lacks words or is listed twice", s.Key)
		}
		keys[s.Key] = true
	}
	for key := range strings.FieldsSeq("sender caller sender_viber sender_wa country timezone") {
		if !keys[key] {
			t.Errorf("no setting %s", key)
		}
	}
}

func TestASettingIsTheAccountsOrTheDefault(t *testing.T) {
	t.Parallel()
	a := account.Account{Settings: map[string]string{"country": "GB", "timezone": ""}}
	for key, want := range map[string]string{"country": "GB", "timezone": "UTC", "sender": "", "nonsense": ""} {
		if got := a.Setting(key); got != want {
			t.Errorf("Setting(%q) = %q; want %q", key, got, want)
		}
	}
	if got := (account.Account{}).Setting("timezone"); got != "UTC" {
		t.Errorf("default of an account without settings = %q; want UTC", got)
	}
}

func TestTheListOfSettingsIsTheCallers(t *testing.T) {
	t.Parallel()
	account.Common()[0].Key = "spoilt"
	if got := account.Common()[0].Key; got != "sender" {
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
