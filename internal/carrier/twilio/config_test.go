package twilio_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
)

func TestAWrongKeyIsNamed(t *testing.T) {
	t.Parallel()
	if err := config().Validate(); err != nil {
		t.Fatalf("Validate = %v; want nil", err)
	}
	for _, c := range []struct {
		key    string
		change func(*twilio.Config)
	}{
		{"name", func(c *twilio.Config) { c.Name = "" }},
		{"name", func(c *twilio.Config) { c.Name = strings.Repeat("x", 65) }},
		{"account_sid", func(c *twilio.Config) { c.AccountSID = "" }},
		{"account_sid", func(c *twilio.Config) { c.AccountSID = service }},
		{"account_sid", func(c *twilio.Config) { c.AccountSID = account + "/../.." }},
		{"auth_token", func(c *twilio.Config) { c.AuthToken = setting.Secret{} }},
		{"auth_token", func(c *twilio.Config) { c.AuthToken = setting.NewSecret("a\n") }},
		{"previous_auth_token", func(c *twilio.Config) { c.PreviousAuthToken = setting.NewSecret(strings.Repeat("x", 129)) }},
		{"api_secret", func(c *twilio.Config) { c.APIKey = "SK" + account[2:] }},
		{"api_key", func(c *twilio.Config) { c.APISecret = setting.NewSecret("x") }},
		{"api_key", func(c *twilio.Config) { c.APIKey, c.APISecret = account, setting.NewSecret("x") }},
		{"base_url", func(c *twilio.Config) { c.BaseURL = "http://api.twilio.com" }},
		{"base_url", func(c *twilio.Config) { c.BaseURL = "https://user@api.twilio.com" }},
		{"base_url", func(c *twilio.Config) { c.BaseURL = "https://api.twilio.com/2010-04-01" }},
		{"base_url", func(c *twilio.Config) { c.BaseURL = "api.twilio.com" }},
		{"callback_overrides", func(c *twilio.Config) { c.CallbackOverrides = "#rc=5" }},
		{"from", func(c *twilio.Config) { c.From, c.WhatsAppFrom, c.Caller = "", "", "" }},
		{"from", func(c *twilio.Config) { c.MessagingServiceSID = service }},
		{"from", func(c *twilio.Config) { c.From = "more than eleven" }},
		{"from", func(c *twilio.Config) { c.From = "-_" }},
		{"messaging_service_sid", func(c *twilio.Config) { c.From, c.MessagingServiceSID = "", account }},
		{"senders", func(c *twilio.Config) { c.Senders = []string{"Acme", "Ünited"} }},
		{"whatsapp_from", func(c *twilio.Config) { c.WhatsAppFrom = "whatsapp:+14155238886" }},
		{"caller", func(c *twilio.Config) { c.Caller = "Acme" }},
		{"content", func(c *twilio.Config) { c.Content = map[string]string{"otp": "otp"} }},
		{"risk_check", func(c *twilio.Config) { c.RiskCheck = "on" }},
		{"content_retention", func(c *twilio.Config) { c.ContentRetention = "obfuscate" }},
		{"address_retention", func(c *twilio.Config) { c.AddressRetention = "discard" }},
		{"ring_time", func(c *twilio.Config) { c.RingTime = time.Second }},
		{"ring_time", func(c *twilio.Config) { c.RingTime = time.Hour }},
		{"least_listening", func(c *twilio.Config) { c.LeastListening = time.Millisecond }},
		{"voices", func(c *twilio.Config) { c.Voices = map[string]string{"de-DE": ""} }},
		{"machine_detection", func(c *twilio.Config) { c.MachineDetection, c.InlineVoice = true, true }},
		{"errors", func(c *twilio.Config) { c.Errors = map[string]string{"0x15": "RETRY"} }},
		{"errors", func(c *twilio.Config) { c.Errors = map[string]string{"21610": "ACCEPTED"} }},
	} {
		cfg := config()
		c.change(&cfg)
		err := cfg.Validate()
		wrong, ok := errors.AsType[*setting.KeyError](err)
		if !ok || wrong.Key != c.key || !strings.HasPrefix(err.Error(), c.key+": ") {
			t.Errorf("Validate = %v; want an error of %s", err, c.key)
		}
		if _, err := twilio.New(cfg, twilio.Deps{}); err == nil {
			t.Errorf("New took what Validate refuses: %s", c.key)
		}
	}
}

func TestAReceiptURLThatTwilioRefusesIsNamed(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"https://my_host.example.com/carriers/t/receipts/x", "/carriers/t/receipts/x", "https://h/x?y=z", "://"} {
		_, err := twilio.New(config(), twilio.Deps{ReceiptURL: u})
		if wrong, ok := errors.AsType[*setting.KeyError](err); !ok || wrong.Key != "public_url" {
			t.Errorf("New with %s = %v; want an error of public_url", u, err)
		}
	}
}

func TestEqualSeesThroughDefaults(t *testing.T) {
	t.Parallel()
	a, b := config(), config()
	a.BaseURL, b.BaseURL = "", "https://api.twilio.com"
	b.RingTime, b.LeastListening, b.CallbackOverrides = 30*time.Second, 6*time.Second, "rc=5&rp=5xx,ct,rt"
	if !a.Equal(b) {
		t.Error("Equal = false of what is the same once defaults are filled in")
	}
	for _, change := range []func(*twilio.Config){
		func(c *twilio.Config) { c.AuthToken = setting.NewSecret("other") },
		func(c *twilio.Config) { c.Senders = []string{"Acme"} },
		func(c *twilio.Config) { c.Errors = map[string]string{"21610": "RETRY"} },
	} {
		b := a
		change(&b)
		if a.Equal(b) {
			t.Errorf("Equal = true of %+v and %+v", a, b)
		}
	}
}

func TestSecretsArePrintedHidden(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.PreviousAuthToken, cfg.APISecret = setting.NewSecret(token), setting.NewSecret(token)
	asJSON, err := json.Marshal(map[string]any{"config": cfg})
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg.AuthToken), string(asJSON)} {
		if strings.Contains(printed, token) {
			t.Errorf("%s holds the token", printed)
		}
	}
}
