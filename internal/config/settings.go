package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
)

// prefix begins the name of every environment variable that is a setting.
const prefix = "COUNTERSIGN_"

// Setting describes one setting. Its environment variable and flag follow from
// its name; settings with a dot in their name are TOML keys only.
type Setting struct {
	Name     string // the TOML key, such as data_dir or wait.sms
	Default  string // "" for none
	Expected string // what a value has to be
	Meaning  string

	secret bool // a key or password: no flag, never printed
	kind   kind
	read   func(*Config, string) bool
}

// kind is what a value is, and so how the file may write it.
type kind int

const (
	kindText   kind = iota // in quotes; what else reads as one, such as a whole number, too
	kindTexts              // several, separated by commas or in a list
	kindToggle             // true or false
	kindNumber             // a whole number
)

// Env returns the environment variable, "" for none.
func (s Setting) Env() string {
	if strings.Contains(s.Name, ".") {
		return ""
	}
	return prefix + strings.ToUpper(s.Name)
}

// Flag returns the flag without its dashes, "" for none.
func (s Setting) Flag() string {
	if s.secret || strings.Contains(s.Name, ".") {
		return ""
	}
	return strings.ReplaceAll(s.Name, "_", "-")
}

// hides reports whether value must not be printed: a key, or a URL, right or
// wrong, that may hold a password.
func (s Setting) hides(value string) bool {
	return s.secret || s.Name == "database_url" || s.Name == "public_url" && strings.Contains(value, "@")
}

// What values have to be.
const (
	expectAddress  = "HOST:PORT"
	expectToggle   = "true or false"
	expectNetworks = "networks such as 10.0.0.0/8, separated by commas"
	expectFile     = "the path of a file"
	expectRoot     = "32 random bytes in base64"
	expectWait     = "a duration from 1s to 600s"
)

// Settings returns every setting, in the order of the documentation. The
// caller owns the slice.
func Settings() []Setting {
	return append([]Setting{
		{Name: "listen", Default: "127.0.0.1:8080", Expected: expectAddress, Meaning: "address of the APIs", read: address(func(c *Config) *string { return &c.Listen })},
		{Name: "admin_listen", Default: "127.0.0.1:8081", Expected: expectAddress + ", or empty", Meaning: "address of metrics and, while it is loopback, profiling; empty for none", read: optional(address(func(c *Config) *string { return &c.AdminListen }))},
		{Name: "data_dir", Default: "./countersign-data", Expected: "the path of a directory", Meaning: "where the database and the key file are", read: path(func(c *Config) *string { return &c.DataDir })},
		{Name: "database_url", Expected: "sqlite:PATH or postgres://USER@HOST/DATABASE", Meaning: "the database; countersign.db in the data directory if not set", read: optional(database)},
		{Name: "secret_key", Expected: expectRoot + ", not a sample", Meaning: "the root of every other key; the file secret.key in the data directory if not set; PostgreSQL needs it set", secret: true, read: optional(rootKey)},
		{Name: "secret_key_previous", Expected: expectRoot + ", several separated by commas", Meaning: "earlier root keys, newest first, still read", secret: true, kind: kindTexts, read: optional(rootKeys)},
		{Name: "migrate", Expected: expectToggle, Meaning: "bring an older schema up at start; if not set, true for SQLite and false for PostgreSQL", kind: kindToggle, read: optional(migrate)},
		{Name: "bootstrap_api_key", Expected: "16 to 128 visible ASCII characters", Meaning: "the first account's API key on an empty database", secret: true, read: optional(bootstrapKey)},
		{Name: "bootstrap_api_login", Expected: "at most 254 visible ASCII characters", Meaning: "the login paired with the first account's key, chosen or made", read: optional(bootstrapLogin)},
		{Name: "tls_cert", Expected: expectFile, Meaning: "PEM certificate of the APIs; set, they speak TLS", read: text(func(c *Config) *string { return &c.TLSCert })},
		{Name: "tls_key", Expected: expectFile, Meaning: "PEM key of tls_cert", read: text(func(c *Config) *string { return &c.TLSKey })},
		{Name: "allow_plain_http", Default: "false", Expected: expectToggle, Meaning: "let listen be other than loopback without TLS", kind: kindToggle, read: toggle(func(c *Config) *bool { return &c.AllowPlainHTTP })},
		{Name: "public_url", Expected: "an http or https URL without query, its host in ASCII (an international name in its xn-- form)", Meaning: "how carriers reach this server with receipts; without it those of HTTP carriers do not come", read: optional(publicURL)},
		{Name: "trusted_proxies", Expected: expectNetworks, Meaning: "networks whose X-Forwarded-For counts; no rule of this version asks for it", kind: kindTexts, read: networks(setTrustedProxies)},
		{Name: "allow_query_key", Default: "false", Expected: expectToggle, Meaning: "the version 4 API reads apiKey from the query too", kind: kindToggle, read: toggle(func(c *Config) *bool { return &c.AllowQueryKey })},
		{Name: "sends_per_recipient", Default: strconv.Itoa(guard.SendsPerRecipient), Expected: "a whole number from 0 to 1000000", Meaning: "accepted sends in 10 minutes per account and recipient; 0 turns the limits on sends off", kind: kindNumber, read: number(0, 1_000_000, func(c *Config) *int { return &c.SendsPerRecipient })},
		{Name: "sender", Default: tyntecv4.DefaultSender, Expected: "1 to 16 characters without control characters", Meaning: "SMS sender where neither request nor account names one", read: smsSender},
		{Name: "caller", Expected: "1 to 32 characters without control characters", Meaning: "likewise, voice caller", read: optional(voiceCaller)},
		{Name: "sender_viber", Expected: "4 to 8 digits", Meaning: "likewise, Viber service id", read: optional(viberSender)},
		{Name: "sender_wa", Expected: "6 to 15 digits, with or without +", Meaning: "likewise, WhatsApp business number", read: optional(whatsAppSender)},
		{Name: "event_error_prefix", Default: "tyntec", Expected: "1 to 32 of a-z, A-Z, 0-9, - and _", Meaning: "first part of error.code in callbacks", read: errorPrefix},
		{Name: "retention", Default: "720h", Expected: "a duration from 1m to 87600h", Meaning: "how long OTPs, recipients and events are kept after the OTP's expiry", read: duration(time.Minute, 87600*time.Hour, func(c *Config) *time.Duration { return &c.Retention })},
		{Name: "sandbox", Default: "auto", Expected: "auto, on or off", Meaning: "when sandbox carriers serve", read: sandbox},
		{Name: "sandbox_whatsapp_review", Default: "2s", Expected: "a duration from 0s to 24h", Meaning: "how long a WhatsApp template of the sandbox is PENDING", read: duration(0, 24*time.Hour, func(c *Config) *time.Duration { return &c.SandboxWhatsAppReview })},
		{Name: "sandbox_submit_delay", Default: "0s", Expected: "a duration from 0s to 1h", Meaning: "how long each submit to a sandbox carrier takes, to try slow ones", read: duration(0, time.Hour, func(c *Config) *time.Duration { return &c.SandboxSubmitDelay })},
		{Name: "sandbox_limits", Default: "false", Expected: expectToggle, Meaning: "apply recipient limits to OTPs that only sandbox carriers carry", kind: kindToggle, read: toggle(func(c *Config) *bool { return &c.SandboxLimits })},
		{Name: "delivery_timeout", Expected: expectWait, Meaning: "how long every channel waits for a receipt before the next one; each channel's own wait if not set", read: optional(deliveryTimeout)},
		{Name: "mode", Default: "compat", Expected: "compat; this version has no other mode", Meaning: "which rules yield to the old APIs' contracts", read: mode},
		{Name: "callback_allow", Expected: expectNetworks, Meaning: "networks that callbacks may reach though refused by default", kind: kindTexts, read: networks(setCallbackAllow)},
		{Name: "callback_allow_private", Default: "false", Expected: expectToggle, Meaning: "let callbacks go to loopback and private addresses on any port", kind: kindToggle, read: toggle(func(c *Config) *bool { return &c.CallbackAllowPrivate })},
		{Name: "callback_require_https", Default: "false", Expected: expectToggle, Meaning: "refuse http callback URLs", kind: kindToggle, read: toggle(func(c *Config) *bool { return &c.CallbackRequireHTTPS })},
		{Name: "log_level", Default: "info", Expected: "debug, info, warn or error", Meaning: "the least level that is logged", read: logLevel},
		{Name: "log_format", Default: "auto", Expected: "text, json or auto", Meaning: "form of log lines; auto is text on a terminal and else json", read: logFormat},
	}, contractNumbers()...)
}

// contractNumbers are the numbers that contracts call server settings. They
// are TOML keys only.
func contractNumbers() []Setting {
	var out []Setting
	for _, c := range message.Channels() {
		out = append(out, Setting{
			Name: "wait." + strings.ToLower(string(c)), Default: strconv.Itoa(int(delivery.DefaultWait(c).Seconds())) + "s", Expected: expectWait,
			Meaning: "how long " + string(c) + " waits for its receipt before the next channel",
			read:    wait(c),
		})
	}
	normal := tyntecv4.DefaultLimits()
	for _, n := range v4Numbers() {
		out = append(out, Setting{
			Name: "v4." + n.name, Default: strconv.Itoa(*n.field(&normal)), Meaning: n.meaning,
			Expected: fmt.Sprintf("a whole number from %d to %d", n.least, n.most),
			kind:     kindNumber,
			read:     number(n.least, n.most, func(c *Config) *int { return n.field(&c.V4) }),
		})
	}
	return out
}

// v4Number is a number of the version 4 API.
type v4Number struct {
	name        string
	least, most int
	meaning     string
	field       func(*tyntecv4.Limits) *int
}

func v4Numbers() []v4Number {
	return []v4Number{
		{"list_limit", 1, 10_000, "OTPs in one list answer, the newest", func(v *tyntecv4.Limits) *int { return &v.ListLimit }},
		{"callback_url_length", 16, 8192, "characters of a callback URL", func(v *tyntecv4.Limits) *int { return &v.CallbackURL }},
		{"callback_headers", 1, 100, "custom headers of a callback configuration", func(v *tyntecv4.Limits) *int { return &v.HeaderCount }},
		{"callback_header_name_length", 1, 1024, "characters of a header's name", func(v *tyntecv4.Limits) *int { return &v.HeaderName }},
		{"callback_header_value_length", 1, 8192, "characters of a header's value", func(v *tyntecv4.Limits) *int { return &v.HeaderValue }},
		{"max_minutes", 1, 1440, "longest life of a code on SMS, VOICE and VIBER", func(v *tyntecv4.Limits) *int { return &v.MaxMinutes }},
		{"max_minutes_whatsapp", 1, 90, "longest life of a code on WHATSAPP", func(v *tyntecv4.Limits) *int { return &v.MaxMinutesWA }},
		{"default_minutes", 1, 90, "life of a code where a template names none; no more than `v4.max_minutes` and `v4.max_minutes_whatsapp`", func(v *tyntecv4.Limits) *int { return &v.Minutes }},
		{"max_attempts", 1, 100, "most attempts that a profile may allow", func(v *tyntecv4.Limits) *int { return &v.MaxAttempts }},
		{"default_attempts", 1, 100, "attempts where a profile names none; no more than `v4.max_attempts`", func(v *tyntecv4.Limits) *int { return &v.Attempts }},
		{"default_code_length", 4, 11, "characters of generated codes where a profile names none", func(v *tyntecv4.Limits) *int { return &v.CodeLength }},
		{"name_length", 1, 1024, "characters of a name", func(v *tyntecv4.Limits) *int { return &v.NameLength }},
		{"message_length", 14, 4096, "characters of a template's message", func(v *tyntecv4.Limits) *int { return &v.MessageLength }},
		{"body_size", 1 << 10, wire.MaxBody, "octets of a request's body", func(v *tyntecv4.Limits) *int { return &v.BodySize }},
	}
}
