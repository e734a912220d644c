package octopush_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/octopush"
)

func TestEachParameterIsUnderstoodAsFarAsPossible(t *testing.T) {
	t.Parallel()
	for parameter, values := range map[string]map[string]string{
		"code_length": {
			`8`: "8", `8.7`: "8", `"8"`: "8", `" 8 "`: "8", `"+8"`: "8", `"8.99"`: "8", `8e0`: "8", `80e-1`: "8", `"8."`: "8",
			`3`: "4", `1`: "4", `1.9`: "4", `33`: "32", `9223372036854775807`: "32", `"99"`: "32",
			`9223372036854775808`: "6", `1e400`: "6", `1e99999999999999999999`: "6", `1e-99999999999999999999`: "6", `0`: "6", `0.9`: "6", `-0`: "6",
			`-8`: "6", `"-8"`: "6", `null`: "6", `true`: "6", `[8]`: "6", `{"a":8}`: "6", `""`: "6", `"abc"`: "6", `"8abc"`: "6", `"0x8"`: "6",
			`"8 8"`: "6", `"--8"`: "6", `"."`: "6", `"e8"`: "6", `"1.2.3"`: "6", `"8_0"`: "6", `"８"`: "6", `"Inf"`: "6", `"NaN"`: "6",
		},
		"max_wrong_attempts": {`"5"`: "5", `11`: "10", `1`: "1", `0`: "3", `0.5`: "3", `"many"`: "3"},
		"validity_period":    {`1`: "3", `10000000`: "10000000", `10000001`: "10000000", `"86400"`: "86400", `0`: "300"},
		"allow_digits": {
			`false`: "false", `true`: "true", `0`: "false", `1`: "true", `"0"`: "false", `"1"`: "true", `"no"`: "false", `" NO "`: "false",
			`"Off"`: "false", `"on"`: "true", `"FALSE"`: "false", `0.0`: "false", `2`: "true", `"maybe"`: "true", `null`: "true", `[false]`: "true",
			`""`: "true", `"f"`: "true", `-0`: "true",
		},
		"allow_upper_case": {`"YES"`: "true", `1`: "true", `"y"`: "false", `1.0`: "true", `1.5`: "false", `{}`: "false"},
		"simulation_mode":  {`"true"`: "true", `true`: "true", `1`: "true", `"x"`: "false", `null`: "false"},
		"channel": {
			`"sms"`: "sms", `"SMS"`: "sms", `"text_sms"`: "sms", `"Text-SMS"`: "sms", `"voice_sms"`: "voice_sms", `" VOICE-sms "`: "voice_sms",
			`"sms_voice"`: "voice_sms", `"voice"`: "voice_sms", `"whatsapp"`: "sms", `"email"`: "sms", `"imessage"`: "sms", `7`: "sms", `["voice"]`: "sms",
			`true`: "sms", `""`: "sms",
		},
		"voice_language": {
			`"fr-FR"`: "fr-FR", `"fr_fr"`: "fr-FR", `"FR"`: "fr-FR", `"es"`: "es-ES", `"es-la"`: "es-LA", `"en"`: "en-US", `"EN_gb"`: "en-GB",
			`"pt"`: "pt-BR", `"el"`: "el-GR", `"xx-XX"`: "en-US", `"f"`: "en-US", `1`: "en-US", `"fr-CA"`: "en-US",
		},
		"voice_gender": {`"M"`: "male", `" Male"`: "male", `"f"`: "female", `"robot"`: "female", `1`: "female"},
		"sender": {
			`"My Shop! GmbH & Co"`: "MyShopGmbHC", `"A!"`: "OTP", `"abc"`: "abc", `"é-A-B-C"`: "ABC", `12345678901234`: "12345678901", `12`: "OTP",
			`1.5e3`: "1500", `true`: "OTP", `null`: "OTP", `["ABC"]`: "OTP", `"   "`: "OTP",
		},
		"text": {
			`"Hi"`: "Hi", `" "`: " ", `""`: "", `12`: "12", `1.50`: "1.50", `1e3`: "1000", `1.50e1`: "15", `true`: "", `null`: "", `["x"]`: "", `"\u0000"`: "", `"a\u0000b"`: "ab",
		},
		"phone_number": {
			`33612345678`: "33612345678", `3.3612345678e10`: "33612345678", `33612345678.0`: "33612345678", `" +33 6 "`: "+33 6",
			`""`: "", `" "`: "", `true`: "", `null`: "", `[]`: "", `1e999999999`: "",
		},
		"recipient_ip": {
			`"192.0.2.7"`: "192.0.2.7", `" 192.0.2.7 "`: "192.0.2.7", `"::ffff:192.0.2.7"`: "192.0.2.7", `"2001:DB8:0::1"`: "2001:db8::1",
			`"fe80::1%eth0"`: "fe80::1", `"0"`: "", `0`: "", `"0.0.0.0"`: "", `"::"`: "", `"not-an-ip"`: "", `"192.0.2.256"`: "", `"192.0.2.7/24"`: "",
			`3221225991`: "", `true`: "", `null`: "", `"[::1]"`: "", `"010.0.0.1"`: "",
		},
	} {
		for given, want := range values {
			body := `{"` + parameter + `":` + given + `}`
			d, ok := octopush.DecodeGenerate([]byte(body), account.Account{})
			got := d.Text[parameter]
			if d.Given[parameter] != "usable" && want == "" {
				got = "" // the default
			}
			if !ok || got != want {
				t.Errorf("%s is understood as %q, %v; want %q", body, got, ok, want)
			}
		}
	}
}

func TestWhatIsNotThereDiffersFromWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		`"x"`: "usable", `7`: "usable", `""`: "absent", `null`: "absent", `true`: "unusable", `[]`: "unusable", `{}`: "unusable", `1e999`: "unusable",
	} {
		d, ok := octopush.DecodeValidate([]byte(`{"otp_request_token":`+given+`}`), account.Account{})
		if !ok || d.Given["otp_request_token"] != want || d.Given["phone_number"] != "absent" {
			t.Errorf("%s: %v", given, d.Given)
		}
	}
}

func TestTokensAndCodesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	d, ok := octopush.DecodeValidate([]byte(`{"otp_request_token":" Otp_A ","code":" aB 3 ","phone_number":" 1 "}`), account.Account{})
	want := map[string]string{"otp_request_token": " Otp_A ", "code": "aB 3", "phone_number": "1", "recipient_ip": ""}
	if diff := cmp.Diff(want, d.Text); !ok || diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestBodiesAreReadWhateverTheyAreCalled(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"text":"a"}`:                           "a",
		"\uFEFF{\"text\":\"a\"}":                 "a",
		" \r\n\t{\"text\":\"a\"}\n":              "a",
		`{"text":"a","text":"b"}`:                "b",
		`{"text":"a","text":null}`:               "",
		`{"TEXT":"a","Text":"b"}`:                "",
		`{"text":"caf` + "\xe9" + `"}`:           "caf\uFFFD",
		`text=a`:                                 "a",
		`text=a+b%20c%2Bd`:                       "a b c+d",
		`text=a&text=b`:                          "b",
		`text=a&text=%zz`:                        "a",
		`te%78t=a`:                               "a",
		`text=a=b`:                               "a=b",
		`text=a;sender=b`:                        "a;sender=b",
		`&&text=a&`:                              "a",
		"\uFEFFtext=a\r\n":                       "a",
		`text`:                                   "",
		`text=%7B%22text%22%3A1%7D`:              `{"text":1}`,
		`{}`:                                     "",
		`{"x":{"text":"a"},"y":["text"]}`:        "",
		`{"text":"\ud83d\ude00 \u00e9"}`:         "😀 é",
		`{"text":"\ud83d"}`:                      "\uFFFD",
		`{"text":"\ud83d\ud83d\ude00\udE00a"}`:   "\uFFFD😀\uFFFDa",
		`{"text":"\udc00\u0041\ud83dx"}`:         "\uFFFDA\uFFFDx",
		`{"a":[[[[1]]]],"text":"deep but fine"}`: "deep but fine",
		`{"a":` + strings.Repeat("[", 65) + "1" + strings.Repeat("]", 65) + `,"text":"deeper"}`: "deeper",
	} {
		d, ok := octopush.DecodeGenerate([]byte(body), account.Account{})
		if !ok || d.Text["text"] != want {
			t.Errorf("%q: text %q, %v; want %q", body, d.Text["text"], ok, want)
		}
	}
	for _, body := range []string{
		"", " ", "\uFEFF", "[]", "[{}]", "{", "7", `"text=a"`, "true", "null", `{"text":"a"`, `{"text":"a"}}`, `{'text':'a'}`, `{"text":"\ud83d\u00g0"}`, `{"text":"\ud83d`,
	} {
		if _, ok := octopush.DecodeGenerate([]byte(body), account.Account{}); ok {
			t.Errorf("%.40q is taken for an object", body)
		}
	}
}

func TestEverySettingExistsAndItsDefaultIsOneThatTheParameterMayHave(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	for _, s := range octopush.Settings() {
		known[s.Key] = s.Default
	}
	for _, key := range octopush.ReadSettings() {
		value, ok := known[key]
		if !ok {
			t.Errorf("there is no account setting %s", key)
		}
		if slices.Contains(octopush.OperatorSettings(), key) || value == "" {
			continue
		}
		if again, ok := octopush.Recast(strings.TrimPrefix(key, "octopush."), value); !ok || again != value {
			t.Errorf("%s is %q by default, which its parameter understands as %q", key, value, again)
		}
	}
	d, _ := octopush.DecodeGenerate([]byte(`{}`), account.Account{})
	want := map[string]string{
		"phone_number": "", "channel": "sms", "text": "", "sender": "OTP", "code_length": "6", "allow_digits": "true",
		"allow_upper_case": "false", "allow_lower_case": "false", "allow_special_chars": "false", "remove_confusing_characters": "false",
		"validity_period": "300", "max_wrong_attempts": "3", "recipient_ip": "", "voice_language": "en-US", "voice_gender": "female",
		"simulation_mode": "false",
	}
	if diff := cmp.Diff(want, d.Text); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

// FuzzDecode holds the decoder to its word: it never panics, and whatever comes
// in, what comes out is in its range and spelled in the one way.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"phone_number":"+33612345678","text":"Use {code} until {hh:mm:ss}","sender":"My Shop!","code_length":"8.7"}`,
		`{"phone_number":3.36e10,"code_length":1e99999,"validity_period":-0.0,"max_wrong_attempts":"+5"}`,
		`{"channel":"Voice-SMS","voice_language":"es_la","voice_gender":"M","recipient_ip":"::ffff:192.0.2.7"}`,
		`{"allow_digits":"no","allow_upper_case":1,"allow_lower_case":"ON","allow_special_chars":true,"remove_confusing_characters":"yes"}`,
		`{"code":4217,"otp_request_token":"otp_9c41f07ab2d86e35c0b1f4a7","recipient_ip":null}`,
		"phone_number=%2B33612345678&code_length=4&text=a+b&text=%zz",
		"\uFEFF{\"text\":\"\\u0000\"}",
		`{"text":"` + strings.Repeat("x", 1300) + `","code_length":32}`,
		`[]`, `{`, ``, `7`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, ok := octopush.DecodeGenerate(body, account.Account{}); ok {
			inRange(t, d)
		}
		if d, ok := octopush.DecodeValidate(body, account.Account{}); ok {
			for _, name := range []string{"code", "otp_request_token", "phone_number"} {
				if text := d.Text[name]; (d.Given[name] == "usable") != (text != "") || !utf8.ValidString(text) && json.Valid(body) {
					t.Errorf("%s = %q is %s", name, text, d.Given[name])
				}
			}
		}
	})
}

var (
	senderForm = regexp.MustCompile(`^[A-Za-z0-9]{3,11}$`)
	ranges     = map[string][2]int{"code_length": {4, 32}, "validity_period": {3, 10_000_000}, "max_wrong_attempts": {1, 10}}
	booleans   = []string{
		"allow_digits", "allow_upper_case", "allow_lower_case", "allow_special_chars", "remove_confusing_characters", "simulation_mode",
	}
)

func inRange(t *testing.T, d octopush.Decoded) {
	t.Helper()
	for name, r := range ranges {
		if n, err := strconv.Atoi(d.Text[name]); err != nil || n < r[0] || n > r[1] {
			t.Errorf("%s = %q", name, d.Text[name])
		}
	}
	for _, name := range booleans {
		if !slices.Contains([]string{"true", "false"}, d.Text[name]) {
			t.Errorf("%s = %q", name, d.Text[name])
		}
	}
	for name, allowed := range map[string][]string{
		"channel": {"sms", "voice_sms"}, "voice_gender": {"male", "female"},
		"voice_language": strings.Fields("en-US en-GB el-GR pl-PL hu-HU sv-SE de-DE es-ES es-LA fr-FR it-IT pt-BR ru-RU"),
	} {
		if !slices.Contains(allowed, d.Text[name]) {
			t.Errorf("%s = %q", name, d.Text[name])
		}
	}
	if !senderForm.MatchString(d.Text["sender"]) {
		t.Errorf("sender = %q", d.Text["sender"])
	}
	if ip := d.Text["recipient_ip"]; d.Given["recipient_ip"] == "usable" {
		if a, err := netip.ParseAddr(ip); err != nil || a.String() != ip || a.IsUnspecified() || a.Is4In6() || a.Zone() != "" {
			t.Errorf("recipient_ip = %q", ip)
		}
	}
	for name, text := range d.Text {
		if again, ok := octopush.Recast(name, text); d.Given[name] == "usable" && (!ok || again != text) {
			t.Errorf("%s = %q is understood as %q, %v", name, text, again, ok)
		}
	}
	if err := d.Policy.Validate(); err != nil {
		t.Errorf("policy: %v", err)
	}
	code := strings.Repeat("#", d.Policy.Length)
	if text := d.Step.Render(code, 0); utf8.RuneCountInString(text) > 1224 || !strings.Contains(text, code) {
		t.Errorf("a message of %d characters, or without the code", utf8.RuneCountInString(text))
	}
}
