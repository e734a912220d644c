package webhook_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/message"
)

func TestAWrongConfigurationNamesItsKey(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	secret := setting.NewSecret
	for name, c := range map[string]struct {
		change func(*webhook.Config)
		key    string
	}{
		"as it is":               {func(*webhook.Config) {}, ""},
		"no name":                {func(c *webhook.Config) { c.Name = "" }, "name"},
		"long name":              {func(c *webhook.Config) { c.Name = strings.Repeat("x", 65) }, "name"},
		"no url":                 {func(c *webhook.Config) { c.URL = "" }, "url"},
		"no URL at all":          {func(c *webhook.Config) { c.URL = "https://exa mple/" }, "url"},
		"other scheme":           {func(c *webhook.Config) { c.URL = "ftp://example.com" }, "url"},
		"user in url":            {func(c *webhook.Config) { c.URL = "https://u:p@example.com" }, "url"},
		"fragment":               {func(c *webhook.Config) { c.URL = "https://example.com/#a" }, "url"},
		"private":                {func(c *webhook.Config) { c.URL, c.AllowPrivate = "https://10.0.0.1", false }, "url"},
		"metadata service":       {func(c *webhook.Config) { c.URL = "http://169.254.169.254" }, "url"},
		"private allowed":        {func(c *webhook.Config) { c.URL = "http://10.0.0.1" }, ""},
		"plain text":             {func(c *webhook.Config) { c.URL = "http://8.8.8.8" }, "allow_plaintext"},
		"plain text allowed":     {func(c *webhook.Config) { c.URL, c.AllowPlaintext = "http://8.8.8.8", true }, ""},
		"tls keys with http":     {func(c *webhook.Config) { c.URL, c.CAFile = "http://10.0.0.1", empty }, "url"},
		"no secret":              {func(c *webhook.Config) { c.Secret = secret("") }, "secret"},
		"secret in another form": {func(c *webhook.Config) { c.Secret = secret("hunter2") }, "secret"},
		"previous secret":        {func(c *webhook.Config) { c.PreviousSecret = secret("whsec_!") }, "previous_secret"},
		"bearer and basic":       {func(c *webhook.Config) { c.Bearer, c.Username = secret("a"), "b" }, "bearer"},
		"bearer with a line":     {func(c *webhook.Config) { c.Bearer = secret("a\r\nb: c") }, "bearer"},
		"password alone":         {func(c *webhook.Config) { c.Password = secret("a") }, "username"},
		"colon in username":      {func(c *webhook.Config) { c.Username = "a:b" }, "username"},
		"no channel":             {func(c *webhook.Config) { c.Channels = []message.Channel{"FAX"} }, "channels"},
		"header's name":          {func(c *webhook.Config) { c.Headers = headers("a b") }, "headers"},
		"header with a line":     {func(c *webhook.Config) { c.Headers = map[string]setting.Secret{"A": secret("a\nb")} }, "headers"},
		"our own header":         {func(c *webhook.Config) { c.Headers = headers("Webhook-ID") }, "headers"},
		"idempotency":            {func(c *webhook.Config) { c.Headers = headers("idempotency-key") }, "headers"},
		"authorization":          {func(c *webhook.Config) { c.Headers = headers("Authorization") }, ""},
		"authorization twice":    {func(c *webhook.Config) { c.Headers, c.Username = headers("Authorization"), "u" }, "headers"},
		"nameless metadata":      {func(c *webhook.Config) { c.Metadata = map[string]string{"": "a"} }, "metadata"},
		"long metadata":          {func(c *webhook.Config) { c.Metadata = map[string]string{"a": strings.Repeat("x", 1025)} }, "metadata"},
		"short timeout":          {func(c *webhook.Config) { c.Timeout = time.Millisecond }, "timeout"},
		"long timeout":           {func(c *webhook.Config) { c.Timeout = time.Minute }, "timeout"},
		"no such file":           {func(c *webhook.Config) { c.CAFile = filepath.Join(t.TempDir(), "none.pem") }, "tls_ca_file"},
		"no certificate":         {func(c *webhook.Config) { c.CAFile = empty }, "tls_ca_file"},
		"no key":                 {func(c *webhook.Config) { c.CertFile = empty }, "tls_key_file"},
		"no pair":                {func(c *webhook.Config) { c.CertFile, c.KeyFile = empty, empty }, "tls_cert_file"},
	} {
		cfg := config("https://receiver.example/otp")
		c.change(&cfg)
		err := cfg.Validate()
		wrong, _ := errors.AsType[*setting.KeyError](err)
		if got := keyOf(wrong); got != c.key || (err == nil) != (c.key == "") {
			t.Errorf("%s: Validate = %v; want the key %q", name, err, c.key)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Validate = %v; it holds the secret", name, err)
		}
		if _, err := webhook.New(cfg, webhook.Deps{Now: time.Now, Log: discard()}); (err == nil) != (c.key == "") {
			t.Errorf("%s: New = %v; want what Validate says", name, err)
		}
	}
}

func headers(name string) map[string]setting.Secret {
	return map[string]setting.Secret{name: setting.NewSecret("v")}
}

func keyOf(e *setting.KeyError) string {
	if e == nil {
		return ""
	}
	return e.Key
}

func TestConfigurationsAreEqualOnceDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	a, b := config("https://a.example"), config("https://a.example")
	b.Channels, b.Timeout, b.Metadata = message.Channels(), 10*time.Second, map[string]string{}
	if !a.Equal(b) {
		t.Error("Equal = false; want true")
	}
	for name, change := range map[string]func(*webhook.Config){
		"secret":   func(c *webhook.Config) { c.Secret = setting.NewSecret(secretOf(9)) },
		"url":      func(c *webhook.Config) { c.URL += "/" },
		"channels": func(c *webhook.Config) { c.Channels = []message.Channel{message.SMS} },
		"headers":  func(c *webhook.Config) { c.Headers = headers("A") },
	} {
		b := config("https://a.example")
		if change(&b); a.Equal(b) {
			t.Errorf("Equal = true though %s differs", name)
		}
	}
}
