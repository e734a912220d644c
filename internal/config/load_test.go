package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/secret"
)

const root = "zl387V7bFfCBAz1D86hSpyAs9ASFyybnwmkpIf9Lr7I="

// file writes a TOML file and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flag returns flags with the one of this name given.
func flag(t *testing.T, name string, value any) config.Flags {
	t.Helper()
	f := config.NewFlags()
	v := reflect.ValueOf(f.Parsed()).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("name") == name {
			p := reflect.New(v.Field(i).Type().Elem())
			p.Elem().Set(reflect.ValueOf(value))
			v.Field(i).Set(p)
			return f
		}
	}
	t.Fatalf("there is no flag --%s", name)
	return f
}

func TestAServerWithoutSettingsHasTheDocumentedDefaults(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:8081",
		DataDir: "./countersign-data", DatabasePath: "countersign-data/countersign.db", Migrate: true,
		SendsPerRecipient: 10, Senders: tyntecv4.Senders{SMS: "VERIFY"}, EventErrorPrefix: "tyntec",
		Retention: 720 * time.Hour, Sandbox: config.SandboxAuto, SandboxWhatsAppReview: 2 * time.Second,
		Waits: map[message.Channel]time.Duration{
			message.SMS: time.Minute, message.Voice: time.Minute, message.WhatsApp: time.Minute,
			message.Viber: 30 * time.Second, message.Email: time.Minute,
		},
		Mode: config.Compat, LogLevel: slog.LevelInfo, LogFormat: config.LogAuto, V4: tyntecv4.Limits{
			ListLimit: 1000, CallbackURL: 2048, HeaderCount: 20, HeaderName: 128, HeaderValue: 2048, MaxMinutes: 120, MaxMinutesWA: 90,
			Minutes: 3, MaxAttempts: 10, Attempts: 3, CodeLength: 6, NameLength: 256, MessageLength: 512, BodySize: 64 << 10,
		},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(config.Config{}), cmpopts.EquateComparable(secret.Root{}, config.Hidden{})); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
}

func TestAFlagWinsOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	t.Parallel()
	path := file(t, `sender = "FILE"`)
	environ := []string{"COUNTERSIGN_SENDER=ENVIRON"}
	for _, c := range []struct {
		name string
		from config.Sources
		want string
	}{
		{"nothing", config.Sources{}, "VERIFY"},
		{"file", config.Sources{File: path}, "FILE"},
		{"environment over file", config.Sources{File: path, Environ: environ}, "ENVIRON"},
		{"flag over both", config.Sources{File: path, Environ: environ, Flags: flag(t, "sender", "FLAG")}, "FLAG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load(c.from)
			if err != nil || got.Senders.SMS != c.want {
				t.Errorf("sender = %q, %v; want %q", got.Senders.SMS, err, c.want)
			}
		})
	}
}

func TestEverySettingIsReadFromTheFileInItsOwnType(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Sources{File: file(t, `
listen = "[::1]:0"
admin_listen = ""
allow_query_key = true
migrate = false
sends_per_recipient = 0
retention = "48h"
callback_allow = ["10.1.2.3/8", "192.168.7.1"]
trusted_proxies = "172.16.0.0/12, fd00::/8"
public_url = "https://otp.example.com/base"
database_url = "sqlite:/var/lib/otp.db"
bootstrap_api_key = "0123456789abcdef"
bootstrap_api_login = "ops@example.com"
sandbox = "off"
log_level = "debug"

[wait]
sms = "5s"

[v4]
list_limit = 20
`)})
	if err != nil {
		t.Fatal(err)
	}
	type picked struct {
		Listen, Admin, Path, Key, Login, URL string
		Query, Migrate                       bool
		Sends, List                          int
		Retention, Text, Viber               time.Duration
		Allow, Proxies                       string
	}
	want := picked{
		"[::1]:0", "", "/var/lib/otp.db", "0123456789abcdef", "ops@example.com", "https://otp.example.com/base", true, false, 0, 20,
		48 * time.Hour, 5 * time.Second, 30 * time.Second, "[10.0.0.0/8 192.168.7.1/32]", "[172.16.0.0/12 fd00::/8]",
	}
	is := picked{
		got.Listen, got.AdminListen, got.DatabasePath, got.BootstrapKey.Reveal(), got.BootstrapLogin, got.PublicURL.String(), got.AllowQueryKey, got.Migrate,
		got.SendsPerRecipient, got.V4.ListLimit, got.Retention, got.Waits[message.SMS], got.Waits[message.Viber],
		fmt.Sprint(got.CallbackAllow), fmt.Sprint(got.TrustedProxies),
	}
	if d := cmp.Diff(want, is); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
}

func TestAnUnknownKeyOfTheFileIsNamed(t *testing.T) {
	t.Parallel()
	path := file(t, "timeot = \"1s\"\n[wait]\nsmss = \"5s\"\n[empty]\n")
	_, err := config.Load(config.Sources{File: path})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"setting timeot, from file " + path, "setting wait.smss, from file " + path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestAnUnreadableFileIsNamed(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"absent": filepath.Join(t.TempDir(), "absent.toml"), "not TOML": file(t, "listen = ")} {
		if _, err := config.Load(config.Sources{File: path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v does not name the file", name, err)
		}
	}
}

func TestAWrongValueIsReportedWithSettingSourceAndExpectation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setting, value, expected string }{
		{"listen", "8080", "HOST:PORT"},
		{"listen", "127.0.0.1:http", "HOST:PORT"},
		{"listen", "127.0.0.1:65536", "HOST:PORT"},
		{"listen", "0.0.0.0:8080", "allow_plain_http"},
		{"listen", ":8080", "allow_plain_http"},
		{"listen", "example.com:8080", "allow_plain_http"},
		{"admin_listen", "8081", "HOST:PORT"},
		{"database_url", "mysql://u:p@h/db", "postgres://"},
		{"database_url", "countersign.db", "sqlite:PATH"},
		{"database_url", "sqlite:", "sqlite:PATH"},
		{"secret_key", "c2hvcnQ=", "32 random bytes"},
		{"secret_key", strings.Repeat("A", 43) + "=", "32 random bytes"},
		{"secret_key_previous", root + ",x", "32 random bytes"},
		{"migrate", "yes", "true or false"},
		{"bootstrap_api_key", "short", "16 to 128"},
		{"bootstrap_api_key", "with a blank in the middle", "16 to 128"},
		{"tls_cert", "cert.pem", "both or neither"},
		{"tls_key", "key.pem", "both or neither"},
		{"allow_plain_http", "1", "true or false"},
		{"public_url", "otp.example.com", "http or https"},
		{"public_url", "ftp://otp.example.com", "http or https"},
		{"public_url", "https://u:p@otp.example.com", "http or https"},
		{"trusted_proxies", "10.0.0.0/33", "networks"},
		{"allow_query_key", "TRUE", "true or false"},
		{"sends_per_recipient", "-1", "whole number"},
		{"sends_per_recipient", "ten", "whole number"},
		{"sender", "seventeen letters", "1 to 16"},
		{"caller", "bell\a", "1 to 32"},
		{"sender_viber", "123", "4 to 8 digits"},
		{"sender_wa", "12345", "6 to 15 digits"},
		{"event_error_prefix", "a::b", "1 to 32"},
		{"retention", "30d", "duration"},
		{"retention", "0s", "duration"},
		{"sandbox", "true", "auto, on or off"},
		{"sandbox_whatsapp_review", "-1s", "duration"},
		{"sandbox_submit_delay", "2h", "duration"},
		{"sandbox_limits", "on", "true or false"},
		{"delivery_timeout", "601s", "1s to 600s"},
		{"delivery_timeout", "60", "1s to 600s"},
		{"mode", "strict", "no other mode"},
		{"callback_allow", "localhost", "networks"},
		{"callback_allow_private", "yes", "true or false"},
		{"log_level", "verbose", "debug, info, warn or error"},
		{"log_format", "xml", "text, json or auto"},
	} {
		t.Run(c.setting+"="+c.value, func(t *testing.T) {
			t.Parallel()
			variable := "COUNTERSIGN_" + strings.ToUpper(c.setting)
			_, err := config.Load(config.Sources{Environ: []string{variable + "=" + c.value}})
			if err == nil {
				t.Fatal("accepted")
			}
			text := err.Error()
			if !strings.Contains(text, c.setting) || !strings.Contains(text, c.expected) || !strings.Contains(text, variable) && !strings.Contains(text, "all sources") {
				t.Errorf("error %q; want the setting, %s and %q", text, variable, c.expected)
			}
		})
	}
}

func TestAnEmptyEnvironmentVariableIsNotSet(t *testing.T) {
	t.Parallel()
	var environ []string
	for _, s := range config.Settings() {
		if s.Env() != "" {
			environ = append(environ, s.Env()+"=")
		}
	}
	got, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatalf("all variables empty: %v", err)
	}
	if got.Listen != "127.0.0.1:8080" || got.AdminListen != "" {
		t.Errorf("listen %q, admin_listen %q; want the default and none", got.Listen, got.AdminListen)
	}
	if _, err := config.Load(config.Sources{File: file(t, `listen = ""`)}); err == nil {
		t.Error("an empty value in the file was accepted")
	}
}

func TestTheReportSaysWhereTheValueCameFrom(t *testing.T) {
	t.Parallel()
	path := file(t, `retention = 5`)
	for source, from := range map[string]config.Sources{
		"file " + path + ":1":                        {File: path},
		"environment variable COUNTERSIGN_RETENTION": {Environ: []string{"COUNTERSIGN_RETENTION=5"}},
		"flag --retention":                           {Flags: flag(t, "retention", "5")},
	} {
		_, err := config.Load(from)
		want := `setting retention, from ` + source + `: got "5"; expected a duration from 1m to 87600h`
		if err == nil || err.Error() != want {
			t.Errorf("error %v; want %s", err, want)
		}
	}
}

func TestAllWrongValuesAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_MODE=x", "COUNTERSIGN_SANDBOX=y", "COUNTERSIGN_LOG_LEVEL=z"}})
	if err == nil || strings.Count(err.Error(), "setting ") != 3 {
		t.Errorf("error %v; want three settings named", err)
	}
}

func TestKeysAndPasswordsHaveNoFlagAndAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const secret = "cAnArYcAnArY cAnArY" // a blank, so that every setting refuses it
	for _, name := range []string{"secret_key", "secret_key_previous", "bootstrap_api_key", "database_url"} {
		_, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_" + strings.ToUpper(name) + "=" + secret}})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v; want one without the value", name, err)
		}
	}
	for _, s := range config.Settings() {
		if strings.Contains(s.Name, "secret_key") || s.Name == "bootstrap_api_key" {
			if s.Flag() != "" {
				t.Errorf("%s has the flag --%s", s.Name, s.Flag())
			}
		}
	}
	c, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_SECRET_KEY=" + root, "COUNTERSIGN_BOOTSTRAP_API_KEY=0123456789canary"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, root) || strings.Contains(text, "canary") {
			t.Errorf("%s of a Config shows a key", verb)
		}
	}
}

func TestPlainHTTPBeyondLoopbackNeedsTheOperatorsWord(t *testing.T) {
	t.Parallel()
	for _, environ := range [][]string{
		{"COUNTERSIGN_LISTEN=0.0.0.0:80", "COUNTERSIGN_ALLOW_PLAIN_HTTP=true"},
		{"COUNTERSIGN_LISTEN=0.0.0.0:443", "COUNTERSIGN_TLS_CERT=c", "COUNTERSIGN_TLS_KEY=k"},
		{"COUNTERSIGN_LISTEN=localhost:80"},
		{"COUNTERSIGN_LISTEN=127.9.9.9:80"},
		{"COUNTERSIGN_LISTEN=[::1]:80"},
	} {
		if _, err := config.Load(config.Sources{Environ: environ}); err != nil {
			t.Errorf("%v: %v", environ, err)
		}
	}
}

func TestDeliveryTimeoutHoldsForEveryChannel(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{
		File: file(t, "[wait]\nviber = \"20s\"\n"), Environ: []string{"COUNTERSIGN_DELIVERY_TIMEOUT=3s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for channel, wait := range c.Waits {
		if wait != 3*time.Second {
			t.Errorf("%s waits %s; want 3s", channel, wait)
		}
	}
}

func TestAKeyIsReadInEitherAlphabetPaddedOrNot(t *testing.T) {
	t.Parallel()
	for _, spelling := range []string{root, strings.TrimRight(root, "="), strings.NewReplacer("+", "-", "/", "_").Replace(root)} {
		c, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_SECRET_KEY=" + spelling}})
		if err != nil || c.SecretKey.Reveal() != root {
			t.Errorf("%d characters: %v", len(spelling), err)
		}
	}
}

func TestAContractNumberThatContradictsAnotherIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"default_minutes = 91":                     "a whole number from 1 to 90",
		"max_minutes_whatsapp = 2":                 "v4.default_minutes",
		"max_minutes = 2":                          "v4.default_minutes",
		"max_attempts = 2":                         "v4.default_attempts",
		"default_code_length = 3":                  "v4.default_code_length",
		"list_limit = 0":                           "v4.list_limit",
		"callback_headers = \"many\"":              "v4.callback_headers",
		"callback_header_value_length = 100000000": "v4.callback_header_value_length",
	} {
		if _, err := config.Load(config.Sources{File: file(t, "[v4]\n"+text+"\n")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v; want %q in it", text, err, want)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "LOCALHOST:1": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:1": false, ":1": false, "[::]:1": false, "192.168.0.1:1": false, "nonsense": false,
	} {
		if got := config.Loopback(address); got != want {
			t.Errorf("Loopback(%s) = %v; want %v", address, got, want)
		}
	}
}

func TestAPostgreSQLDatabaseIsNotBroughtUpUnlessAskedAndNeedsAKey(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-of-the-database"
	url := "COUNTERSIGN_DATABASE_URL=postgresql://u:" + secret + "@h/db"
	for _, c := range []struct {
		environ           []string
		migrate, postgres bool
	}{
		{nil, true, false},
		{[]string{"COUNTERSIGN_MIGRATE=false"}, false, false},
		{[]string{url, "COUNTERSIGN_SECRET_KEY=" + root}, false, true},
		{[]string{url, "COUNTERSIGN_SECRET_KEY=" + root, "COUNTERSIGN_MIGRATE=true"}, true, true},
	} {
		got, err := config.Load(config.Sources{Environ: c.environ})
		if err != nil {
			t.Fatal(err)
		}
		if got.Migrate != c.migrate || got.Postgres() != c.postgres {
			t.Errorf("%q: migrate %v, PostgreSQL %v; want %v, %v", c.environ, got.Migrate, got.Postgres(), c.migrate, c.postgres)
		}
		if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, secret) {
			t.Errorf("printed, the settings show the database's password: %s", text)
		}
	}
	_, err := config.Load(config.Sources{Environ: []string{url}})
	if p, ok := errors.AsType[*config.SettingError](err); !ok || p.Setting != "secret_key" || strings.Contains(err.Error(), secret) {
		t.Errorf("without a root key: %v; want that secret_key is missing", err)
	}
	if got, err := config.Load(config.Sources{Environ: []string{url}, Keyless: true}); err != nil || !got.SecretKey.IsZero() {
		t.Errorf("without a root key that comes from elsewhere: %v; want no error and no key", err)
	}
}

func TestAFileThatHoldsARootKeyMayBeReadByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string // "" where it is read
	}{
		{`secret_key = "` + root + `"`, 0o600, ""},
		{`secret_key = "` + root + `"`, 0o400, ""},
		{`secret_key = "` + root + `"`, 0o640, "setting secret_key"},
		{`secret_key = "` + root + `"`, 0o604, "setting secret_key"},
		{`secret_key = "` + root + `"`, 0o620, "setting secret_key"},
		{`secret_key_previous = ["` + root + `"]`, 0o644, "setting secret_key_previous"},
		{`secret_key = ""`, 0o644, ""},
		{`sender = "ACME"`, 0o644, ""},
	} {
		path := file(t, c.text)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(config.Sources{File: path})
		if c.want == "" && err == nil {
			continue
		}
		if _, ok := errors.AsType[*config.SettingError](err); !ok || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "mode 0600") || strings.Contains(err.Error(), root) {
			t.Errorf("%q with mode %04o: %v; want it refused: %q", c.text, c.mode, err, c.want)
		}
	}
}

func TestAURLThatIsRefusedIsNotRepeatedWithItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://u:hunter2@x", "u:hunter2@x", "https://u:hunter2@x:port/"} {
		_, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_PUBLIC_URL=" + url}})
		if err == nil || !strings.Contains(err.Error(), "COUNTERSIGN_PUBLIC_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want the setting named and no password", url, err)
		}
	}
	if _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_PUBLIC_URL=ftp://x"}}); err == nil || !strings.Contains(err.Error(), "ftp://x") {
		t.Errorf("a URL without a password: %v; want it repeated", err)
	}
}
