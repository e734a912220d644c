package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
)

func TestAValueOfATypeThatItsSettingDoesNotTakeIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, setting, want string }{
		{"[data_dir]", "data_dir", `got "a table"; expected the path of a directory`},
		{"data_dir = {}", "data_dir", `got "a table"`},
		{`data_dir = { a = "b" }`, "data_dir", `got "a table"`},
		{`data_dir = ["/srv/a", "/srv/b"]`, "data_dir", `got "a list"`},
		{`sender = ["A", "B"]`, "sender", `got "a list"`},
		{"caller = true", "caller", `got "true"; expected 1 to 32 characters without control characters, in quotes`},
		{"sender = nan", "sender", `got "NaN"`},
		{"data_dir = 2020-01-01", "data_dir", `got "a date or time"`},
		{"sender = 07:32:00", "sender", `got "a date or time"`},
		{"migrate = [true]", "migrate", `got "a list"`},
		{"sends_per_recipient = 1.5", "sends_per_recipient", `got "1.5"; expected a whole number`},
		{"callback_allow = [1]", "callback_allow", "expected networks"},
		{"[wait.sms]", "wait.sms", `got "a table"`},
		{"wait = { sms = true }", "wait.sms", `got "true"`},
		{"[v4]\nname_length = []", "v4.name_length", `got "a list"`},
		{"bootstrap_api_key = 1234567890.0123456789", "bootstrap_api_key", "expected 16 to 128 visible ASCII characters, in quotes"},
	} {
		path := file(t, c.text)
		_, err := config.Load(config.Sources{File: path})
		p, ok := errors.AsType[*config.SettingError](err)
		if !ok || p.Setting != c.setting || !strings.Contains(err.Error(), "from file "+path+":") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want that %s is refused with %s", c.text, err, c.setting, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "1234567890") {
			t.Errorf("%q: %v shows the key", c.text, err)
		}
	}
}

func TestAKeyOrTableThatIsNoSettingIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[wiat]":                                "setting wiat, ",
		"[v4]\n[v4.more]":                       "setting v4.more, ",
		"wait = 5":                              "setting wait, ",
		"\"wait.sms\" = \"40x\"":                `setting "wait.sms", `,
		"\"v4.name_length\" = 4\n[v4]\n":        `setting "v4.name_length", `,
		"\"wait.sms\"=\"9s\"\n[wait]\nsms='8s'": `setting "wait.sms", `,
	} {
		for range 20 { // whatever the order of a map
			_, err := config.Load(config.Sources{File: file(t, text)})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a key that docs/operating.md lists") {
				t.Fatalf("%q: error %v; want %s refused", text, err, want)
			}
		}
	}
	if _, err := config.Load(config.Sources{File: file(t, "[wait]\n[v4]\n")}); err != nil {
		t.Errorf("tables with nothing in them: %v", err)
	}
}

func TestAValueThatCannotBeReadIsNamedWithItsLineAndNeverShown(t *testing.T) {
	t.Parallel()
	const digits = "12345678901234567890123456789012"
	for _, c := range []struct{ text, at, want string }{
		{"bootstrap_api_key = " + digits, ":1; expected 16 to 128 visible ASCII characters, in quotes", "setting bootstrap_api_key, from file "},
		{"\nsecret_key_previous = [\n1,\n" + digits + ",\n]", ":4; ", "setting secret_key_previous, "},
		{"[v4]\nname_length = " + digits, ":2; expected a whole number from 1 to 1024", "setting v4.name_length, "},
		{"wait = { sms = " + digits + " }", ":1; ", "setting wait.sms, "},
		{"[[carrier]]\nname = \"a\"\nport = " + digits, ":3: carrier[0].port: ", "couldn't parse decimal number"},
		{"secret_key = 12-34-" + digits, ":1; expected 32 random bytes", "setting secret_key, "},
		{"sender = \"a\"\nsecret_key = 1e" + digits + "_\n", ":2; ", "setting secret_key, "},
		{"unknown = " + digits, ":1: unknown: ", "couldn't parse decimal number"},
		{"sender = \"a\"\n\nsender = \"b\"", ":3: ", "sender is already defined"},
		{"[wait]\n[v4]\n[wait]", ":3: ", "wait already exists"},
		{"[wait]\nsms = \"1s\"\nsms = \"2s\"", ":3: ", "sms is already defined"},
	} {
		path := file(t, c.text)
		_, err := config.Load(config.Sources{File: path})
		if err == nil || !strings.Contains(err.Error(), path+c.at) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "123456") {
			t.Errorf("%q: error %v; want %q and %q, and no value", c.text, err, c.want, c.at)
		}
	}
}

func TestAPublicURLNeedsAHostAndAPortThatCanBe(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{
		"https://h": true, "https://h:1/": true, "https://[::1]:65535": true,
		"https://:80": false, "https://h:99999": false, "https://h:0": false, "https://": false,
		"https://192.0.2.1": true, "https://my_host.example-1.com./base": true, "https://xn--bcher-kva.example": true,
		"https://bücher.example": false, "https://b%C3%BCcher.example": false, "https://h!.example": false, "https://a,b": false,
		"https://::1": false, "https://1::2:80": false, "https://[::1]x": false, "https://[h]": false,
		"https://h/?": false, "https://h?": false, "https://h/?a=b": false,
	} {
		if _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_PUBLIC_URL=" + url}}); (err == nil) != ok {
			t.Errorf("%s: error %v; want it accepted: %v", url, err, ok)
		}
	}
}

func TestTheTwoAddressesDiffer(t *testing.T) {
	t.Parallel()
	both := func(address string) error {
		_, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_LISTEN=" + address, "COUNTERSIGN_ADMIN_LISTEN=" + address}})
		return err
	}
	if err := both("127.0.0.1:8080"); err == nil || !strings.Contains(err.Error(), "setting admin_listen, from environment variable COUNTERSIGN_ADMIN_LISTEN") {
		t.Errorf("one address for both: %v; want admin_listen refused", err)
	}
	if err := both("127.0.0.1:0"); err != nil {
		t.Errorf("any free port for both: %v", err)
	}
}

func TestAnAddressThatOnlyLooksLikeOneIsRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"256.0.0.1:80", "1.2.3:80", "127.0.0.1.:80"} {
		if _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_ADMIN_LISTEN=" + address}}); err == nil || !strings.Contains(err.Error(), "setting admin_listen") {
			t.Errorf("%s: %v; want admin_listen refused", address, err)
		}
	}
}

func TestASettingTellsItsSource(t *testing.T) {
	t.Parallel()
	path := file(t, "\ndata_dir = \"x\"\n")
	c, err := config.Load(config.Sources{File: path, Environ: []string{"COUNTERSIGN_LISTEN=127.0.0.1:0"}, Flags: flag(t, "database-url", "sqlite:y")})
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{
		"data_dir": "file " + path + ":2", "listen": "environment variable COUNTERSIGN_LISTEN", "database_url": "flag --database-url", "sender": "default",
	} {
		if got := c.Source(setting); got != want {
			t.Errorf("%s comes from %q; want %q", setting, got, want)
		}
	}
}
