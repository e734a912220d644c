package twilio

import (
	"reflect"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// Config says whose account is used and how. The keys in brackets are the names
// that errors of Validate use. Name, AccountSID, AuthToken and one of From,
// MessagingServiceSID, WhatsAppFrom and Caller are needed; the zero value of
// every other field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// AccountSID is "AC" and 32 hexadecimal digits [account_sid].
	AccountSID string
	// AuthToken is the account's primary token [auth_token]. Twilio signs with
	// it, also where APIKey opens the API. It is never printed.
	AuthToken setting.Secret
	// PreviousAuthToken is accepted in signatures while a token is exchanged
	// [previous_auth_token].
	PreviousAuthToken setting.Secret
	// APIKey and APISecret open the API instead of account and token [api_key,
	// api_secret].
	APIKey    string
	APISecret setting.Secret
	// BaseURL is scheme and host of the API: "https://api.twilio.com" by
	// default, another one for a region [base_url].
	BaseURL string

	// CallbackOverrides are Twilio's connection overrides for what it sends us,
	// "rc=5&rp=5xx,ct,rt" by default: up to five times more, where by itself it
	// would give up after an answer of 5xx. "none" sends none
	// [callback_overrides].
	CallbackOverrides string

	// From is who SMS are from: a number of the account, a short code or an
	// alphanumeric sender [from].
	From string
	// MessagingServiceSID picks the sender of an SMS from the service's pool;
	// not beside From [messaging_service_sid].
	MessagingServiceSID string
	// Senders are the further senders and callers that messages may ask for, as
	// Twilio refuses what the account does not have; "*" allows all. What a
	// message asks for and may not have is replaced by From, WhatsAppFrom or
	// Caller [senders].
	Senders []string
	// SmartEncoded lets Twilio replace characters that only look alike, to
	// stay with GSM-7 [smart_encoded].
	SmartEncoded bool
	// RiskCheck is "enable" or "disable"; "" leaves SMS pumping protection to
	// the account [risk_check].
	RiskCheck string
	// ContentRetention is "retain" or "discard" and AddressRetention "retain" or
	// "obfuscate"; "" leaves it to the account, which has to be entitled
	// [content_retention, address_retention].
	ContentRetention, AddressRetention string

	// WhatsAppFrom is the business number [whatsapp_from].
	WhatsAppFrom string
	// Content are the SIDs of approved templates, "HX…", which get the code as
	// variable 1. The keys are "name/language", "name" or "*", and the first of
	// these that is there is used [content].
	Content map[string]string
	// WhatsAppText sends the text itself where Content has nothing. WhatsApp
	// takes it from people who wrote to the business in the last day, and in
	// Twilio's sandbox [whatsapp_text].
	WhatsAppText bool

	// Caller is the number that calls come from, the account's own or verified
	// [caller].
	Caller string
	// Voices name Twilio's voices: "de-DE", "de-DE/female" or "*" to
	// "Polly.Vicki-Neural" [voices].
	Voices map[string]string
	// InlineVoice puts what a call says into the request. Twilio then keeps it
	// in the call's log, code included; for servers that Twilio cannot reach
	// [inline_voice].
	InlineVoice bool
	// RingTime is how long a phone rings, 5 s to 600 s: 30 s by default
	// [ring_time].
	RingTime time.Duration
	// LeastListening is how long a call must have lasted to count as delivered:
	// 6 s by default [least_listening].
	LeastListening time.Duration
	// MachineDetection hangs up where a machine answers [machine_detection].
	MachineDetection bool

	// Errors replaces the class of Twilio's error codes: "21610" to "RETRY",
	// "PERMANENT" or "CONFIG" [errors].
	Errors map[string]string
}

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// Defaults and bounds.
const (
	defaultBaseURL   = "https://api.twilio.com"
	defaultRingTime  = 30 * time.Second
	leastRingTime    = 5 * time.Second
	mostRingTime     = 600 * time.Second
	defaultListening = 6 * time.Second
	mostListening    = 60 * time.Second
	defaultOverrides = "rc=5&rp=5xx,ct,rt"
	none             = "none"
)

// anySender in Senders allows all.
const anySender = "*"

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if c.BaseURL == "" {
		c.BaseURL = defaultBaseURL
	}
	if c.CallbackOverrides == "" {
		c.CallbackOverrides = defaultOverrides
	}
	if c.RingTime == 0 {
		c.RingTime = defaultRingTime
	}
	if c.LeastListening == 0 {
		c.LeastListening = defaultListening
	}
	return c
}
