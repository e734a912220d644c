package meta_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
)

func valid() meta.Config {
	return meta.Config{
		Name: "whatsapp", Token: setting.NewSecret("t0k3n"), AppSecret: setting.NewSecret("s3cr3t"),
		Accounts: []meta.Account{{ID: waba, Numbers: map[string]string{business: phoneID}}},
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	t.Parallel()
	second := func(c *meta.Config, a meta.Account) { c.Accounts = append(c.Accounts, a) }
	for _, c := range []struct {
		key    string
		change func(*meta.Config)
	}{
		{"", func(*meta.Config) {}},
		{"", func(c *meta.Config) { c.BaseURL = "http://127.0.0.1:8080/" }},
		{"", func(c *meta.Config) { c.Token, c.Accounts[0].Token = setting.Secret{}, setting.NewSecret("own") }},
		{"", func(c *meta.Config) {
			c.AppSecret, c.Accounts[0].AppSecret = setting.Secret{}, setting.NewSecret("own")
		}},
		{"", func(c *meta.Config) { c.Errors = map[string]string{"0": "RETRY", "131026": "CONFIG"} }},
		{"name", func(c *meta.Config) { c.Name = "" }},
		{"name", func(c *meta.Config) { c.Name = strings.Repeat("n", 65) }},
		{"base_url", func(c *meta.Config) { c.BaseURL = "graph.facebook.com" }},
		{"base_url", func(c *meta.Config) { c.BaseURL = "http://graph.facebook.com" }},
		{"base_url", func(c *meta.Config) { c.BaseURL = "https://graph.facebook.com?x=1" }},
		{"version", func(c *meta.Config) { c.Version = "23" }},
		{"token", func(c *meta.Config) { c.Token = setting.Secret{} }},
		{"token", func(c *meta.Config) { c.Token = setting.NewSecret("two\nlines") }},
		{"app_secret", func(c *meta.Config) { c.AppSecret = setting.NewSecret("") }},
		{"accounts", func(c *meta.Config) { c.Accounts = nil }},
		{"accounts.id", func(c *meta.Config) { c.Accounts[0].ID = "" }},
		{"accounts.id", func(c *meta.Config) { c.Accounts[0].ID = "me" }},
		{"accounts.refs", func(c *meta.Config) { c.Accounts[0].Refs = []string{"a b"} }},
		{"accounts.refs", func(c *meta.Config) {
			second(c, meta.Account{ID: "5", Refs: []string{waba}, Numbers: map[string]string{"123456": "9"}})
		}},
		{"accounts.numbers", func(c *meta.Config) { c.Accounts[0].Numbers = nil }},
		{"accounts.numbers", func(c *meta.Config) { c.Accounts[0].Numbers = map[string]string{"+4930123456": phoneID} }},
		{"accounts.numbers", func(c *meta.Config) {
			c.Accounts[0].Numbers = map[string]string{business: ""}
			c.Accounts[0].Sender = ""
		}},
		{"accounts.numbers", func(c *meta.Config) { second(c, meta.Account{ID: "5", Numbers: map[string]string{"123456": phoneID}}) }},
		{"accounts.sender", func(c *meta.Config) { c.Accounts[0].Numbers["4940123456"] = "1" }},
		{"accounts.sender", func(c *meta.Config) { c.Accounts[0].Sender = "4940123456" }},
		{"errors", func(c *meta.Config) { c.Errors = map[string]string{"x": "RETRY"} }},
		{"errors", func(c *meta.Config) { c.Errors = map[string]string{"131026": "ACCEPTED"} }},
	} {
		cfg := valid()
		c.change(&cfg)
		err := cfg.Validate()
		e, ok := errors.AsType[*setting.KeyError](err)
		switch {
		case c.key == "" && err != nil:
			t.Errorf("Validate = %v; want nil", err)
		case c.key != "" && (!ok || e.Key != c.key):
			t.Errorf("Validate = %v; want the key %s named", err, c.key)
		}
		if err != nil && strings.Contains(err.Error(), "t0k3n") {
			t.Errorf("Validate = %v; it holds a secret", err)
		}
	}
}

func TestAReloadTellsWhatChanged(t *testing.T) {
	t.Parallel()
	full := valid()
	full.Version, full.BaseURL = "v23.0", "https://graph.facebook.com"
	full.Accounts[0].Sender = business
	if !valid().Equal(full) {
		t.Error("a configuration with its defaults written out differs")
	}
	for name, change := range map[string]func(*meta.Config){
		"token":   func(c *meta.Config) { c.Token = setting.NewSecret("another") },
		"numbers": func(c *meta.Config) { c.Accounts[0].Numbers[business] = "1" },
		"errors":  func(c *meta.Config) { c.Errors = map[string]string{"1": "CONFIG"} },
	} {
		other := valid()
		change(&other)
		if valid().Equal(other) {
			t.Errorf("another %s makes no difference", name)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	cfg := valid()
	text, err := json.Marshal(map[string]any{"config": cfg.Accounts, "token": cfg.Token, "app_secret": cfg.AppSecret})
	noError(t, err)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "carrier", slog.Any("config", cfg))
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), string(text), log.String()} {
		if strings.Contains(printed, "t0k3n") || strings.Contains(printed, "s3cr3t") {
			t.Errorf("printed: %s", printed)
		}
	}
}
