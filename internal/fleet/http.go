package fleet

import (
	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/config"
)

func readTwilio(r *config.Reader, name string) twilio.Config {
	c := twilio.Config{Name: name}
	r.Text("account_sid", &c.AccountSID)
	r.Secret("auth_token", func(s string) { c.AuthToken = setting.NewSecret(s) })
	r.Secret("previous_auth_token", func(s string) { c.PreviousAuthToken = setting.NewSecret(s) })
	r.Text("api_key", &c.APIKey)
	r.Secret("api_secret", func(s string) { c.APISecret = setting.NewSecret(s) })
	r.Text("base_url", &c.BaseURL)
	r.Text("callback_overrides", &c.CallbackOverrides)
	r.Text("from", &c.From)
	r.Text("messaging_service_sid", &c.MessagingServiceSID)
	r.Texts("senders", &c.Senders)
	r.Bool("smart_encoded", &c.SmartEncoded)
	r.Text("risk_check", &c.RiskCheck)
	r.Text("content_retention", &c.ContentRetention)
	r.Text("address_retention", &c.AddressRetention)
	r.Text("whatsapp_from", &c.WhatsAppFrom)
	r.TextMap("content", &c.Content)
	r.Bool("whatsapp_text", &c.WhatsAppText)
	r.Text("caller", &c.Caller)
	r.TextMap("voices", &c.Voices)
	r.Bool("inline_voice", &c.InlineVoice)
	r.Duration("ring_time", &c.RingTime)
	r.Duration("least_listening", &c.LeastListening)
	r.Bool("machine_detection", &c.MachineDetection)
	r.TextMap("errors", &c.Errors)
	return c
}

func openTwilio(c twilio.Config, e env) (*twilio.Carrier, error) {
	return twilio.New(c, twilio.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, ReceiptURL: e.receiptURL, Flights: &e.memory.flights,
	})
}

func readWebhook(r *config.Reader, name string) webhook.Config {
	c := webhook.Config{Name: name}
	r.Text("url", &c.URL)
	r.Secret("secret", func(s string) { c.Secret = setting.NewSecret(s) })
	r.Secret("previous_secret", func(s string) { c.PreviousSecret = setting.NewSecret(s) })
	r.Channels("channels", &c.Channels)
	r.Bool("include_code", &c.IncludeCode)
	r.TextMap("metadata", &c.Metadata)
	readSecrets(r, "headers", &c.Headers)
	readCredentials(r, &c.Credentials)
	r.Text("tls_ca_file", &c.CAFile)
	r.Text("tls_cert_file", &c.CertFile)
	r.Text("tls_key_file", &c.KeyFile)
	r.Bool("allow_private", &c.AllowPrivate)
	r.Bool("allow_plaintext", &c.AllowPlaintext)
	r.Duration("timeout", &c.Timeout)
	return c
}

func openWebhook(c webhook.Config, e env) (*webhook.Carrier, error) {
	return webhook.New(c, webhook.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, ReceiptURL: e.receiptURL, Version: e.version, Flights: &e.memory.flights,
	})
}

func readKannel(r *config.Reader, name string) kannel.Config {
	c := kannel.Config{Name: name}
	r.Text("url", &c.URL)
	r.Text("username", &c.Username)
	r.Secret("password", func(s string) { c.Password = setting.NewSecret(s) })
	r.Text("method", &c.Method)
	r.Text("sender", &c.Sender)
	r.Text("smsc", &c.SMSC)
	r.Text("account", &c.Account)
	r.Int("priority", &c.Priority)
	r.Bool("flash", &c.Flash)
	r.Bool("strip_plus", &c.StripPlus)
	r.Text("long", &c.Long)
	r.TextMap("metadata", &c.Metadata)
	r.Text("tls_ca_file", &c.CAFile)
	r.Text("tls_cert_file", &c.CertFile)
	r.Text("tls_key_file", &c.KeyFile)
	r.Bool("allow_plaintext", &c.AllowPlaintext)
	r.Duration("timeout", &c.Timeout)
	return c
}

func openKannel(c kannel.Config, e env) (*kannel.Carrier, error) {
	return kannel.New(c, kannel.Deps{ //nolint:wrapcheck // its caller finds the key
		Receive: e.receive, Log: e.log, Now: e.now, ReceiptURL: e.receiptURL, Flights: &e.memory.flights,
	})
}

func readCredentials(r *config.Reader, to *httpsubmit.Credentials) {
	r.Text("username", &to.Username)
	r.Secret("password", func(s string) { to.Password = setting.NewSecret(s) })
	r.Secret("bearer", func(s string) { to.Bearer = setting.NewSecret(s) })
}

// readSecrets reads a table of secrets.
func readSecrets(r *config.Reader, key string, to *map[string]setting.Secret) {
	r.SecretMap(key, func(all map[string]string) {
		*to = make(map[string]setting.Secret, len(all))
		for name, value := range all {
			(*to)[name] = setting.NewSecret(value)
		}
	})
}
