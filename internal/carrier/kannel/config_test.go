package kannel_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/carrier/setting"
)

func TestAWrongConfigurationNamesItsKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*kannel.Config)
		key    string
	}{
		"as it is":           {func(*kannel.Config) {}, ""},
		"no name":            {func(c *kannel.Config) { c.Name = "" }, "name"},
		"no username":        {func(c *kannel.Config) { c.Username = "" }, "username"},
		"username's line":    {func(c *kannel.Config) { c.Username = "a\nb" }, "username"},
		"no password":        {func(c *kannel.Config) { c.Password = setting.Secret{} }, "password"},
		"long password":      {func(c *kannel.Config) { c.Password = setting.NewSecret(strings.Repeat("hunter2", 10)) }, "password"},
		"sender's line":      {func(c *kannel.Config) { c.Sender = "a\nb" }, "sender"},
		"smsc":               {func(c *kannel.Config) { c.SMSC = "ä" }, "smsc"},
		"account":            {func(c *kannel.Config) { c.Account = strings.Repeat("x", 65) }, "account"},
		"no url":             {func(c *kannel.Config) { c.URL = "" }, "url"},
		"no URL at all":      {func(c *kannel.Config) { c.URL = "http://[" }, "url"},
		"no host":            {func(c *kannel.Config) { c.URL = "/cgi-bin/sendsms" }, "url"},
		"other scheme":       {func(c *kannel.Config) { c.URL = "smpp://a" }, "url"},
		"parameters":         {func(c *kannel.Config) { c.URL += "?username=a" }, "url"},
		"user in url":        {func(c *kannel.Config) { c.URL = "http://a:b@127.0.0.1/" }, "url"},
		"tls keys with http": {func(c *kannel.Config) { c.CAFile = "a.pem" }, "url"},
		"no such file":       {func(c *kannel.Config) { c.URL, c.CAFile = "https://a.example/", "/none.pem" }, "tls_ca_file"},
		"method":             {func(c *kannel.Config) { c.Method = "POST" }, "method"},
		"long":               {func(c *kannel.Config) { c.Long = "sar" }, "long"},
		"priority":           {func(c *kannel.Config) { c.Priority = 4 }, "priority"},
		"timeout":            {func(c *kannel.Config) { c.Timeout = time.Minute }, "timeout"},
		"metadata's name":    {func(c *kannel.Config) { c.Metadata = map[string]string{"": "a"} }, "metadata"},
		"metadata's value":   {func(c *kannel.Config) { c.Metadata = map[string]string{"a": "ä"} }, "metadata"},
		"much metadata":      {func(c *kannel.Config) { c.Metadata = map[string]string{"a": strings.Repeat("x", 1024)} }, "metadata"},
	} {
		cfg := config("http://127.0.0.1:13013/cgi-bin/sendsms")
		c.change(&cfg)
		err := cfg.Validate()
		key := ""
		if wrong, ok := errors.AsType[*setting.KeyError](err); ok {
			key = wrong.Key
		}
		if key != c.key || (err == nil) != (c.key == "") {
			t.Errorf("%s: Validate = %v; want the key %q", name, err, c.key)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: Validate = %v; it holds the password", name, err)
		}
	}
}

func TestConfigurationsAreEqualOnceDefaultsAreFilledIn(t *testing.T) {
	t.Parallel()
	a, b := config("http://a.example/"), config("http://a.example/")
	b.Method, b.Long, b.Timeout, b.Metadata = "post", "udh", 10*time.Second, map[string]string{}
	if !a.Equal(b) {
		t.Error("Equal = false; want true")
	}
	b.Password = setting.NewSecret("other")
	if a.Equal(b) {
		t.Error("Equal = true though the password differs")
	}
}
