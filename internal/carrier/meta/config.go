package meta

import (
	"reflect"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// Config says which WhatsApp business accounts there are and how to speak for
// them. The keys in brackets are the names that errors of Validate use. Name,
// AppSecret, a Token and an Account are needed; the zero value of every other
// field works.
type Config struct {
	// Name is the carrier's name [name], 1 to 64 characters.
	Name string
	// BaseURL is "https://graph.facebook.com" by default [base_url].
	BaseURL string
	// Version of the Graph API is "v23.0" by default [version].
	Version string
	// Token is the system user's access token [token].
	Token setting.Secret
	// AppSecret is what the app signs its webhooks with [app_secret].
	AppSecret setting.Secret
	// VerifyToken is the word that the app's dashboard was given for the
	// webhook; without it the handshake is refused [verify_token].
	VerifyToken setting.Secret
	// Accounts are the WhatsApp business accounts, 1 to 100 [accounts].
	Accounts []Account
	// NoCallbackData leaves the dedupe reference out of messages [no_callback_data].
	NoCallbackData bool
	// Errors replaces the class of error codes: "131026" to "RETRY", "PERMANENT"
	// or "CONFIG" [errors].
	Errors map[string]string
}

// Account is a WhatsApp business account.
type Account struct {
	// ID is WhatsApp's number of it [accounts.id].
	ID string
	// Refs are further ids by which API accounts may name it, such as a UUID
	// that they had elsewhere [accounts.refs].
	Refs []string
	// APIAccounts are the API accounts that may use it; empty lets all of them
	// [accounts.api_accounts].
	APIAccounts []string
	// Numbers are its business numbers, digits only, to their phone number ids
	// [accounts.numbers].
	Numbers map[string]string
	// Sender is the business number for messages without one; needed only if
	// there are several [accounts.sender].
	Sender string
	// ZeroTapTermsAccepted submits one-tap templates as zero-tap ones; the word
	// goes to WhatsApp as it stands [accounts.zero_tap_terms_accepted].
	ZeroTapTermsAccepted bool
	// Token and AppSecret replace the carrier's, for an account of another
	// portfolio or app [accounts.token, accounts.app_secret].
	Token, AppSecret setting.Secret
}

// Equal reports whether nothing of the two differs once defaults are filled in,
// so that a reload may keep the carrier.
func (c Config) Equal(o Config) bool { return reflect.DeepEqual(c.withDefaults(), o.withDefaults()) }

// Defaults.
const (
	defaultBaseURL = "https://graph.facebook.com"
	defaultVersion = "v23.0"
)

// withDefaults fills in what is left out.
func (c Config) withDefaults() Config {
	if c.BaseURL == "" {
		c.BaseURL = defaultBaseURL
	}
	if c.Version == "" {
		c.Version = defaultVersion
	}
	accounts := make([]Account, len(c.Accounts))
	for i, a := range c.Accounts {
		if a.Token == (setting.Secret{}) {
			a.Token = c.Token
		}
		if a.AppSecret == (setting.Secret{}) {
			a.AppSecret = c.AppSecret
		}
		if a.Sender == "" && len(a.Numbers) == 1 {
			for number := range a.Numbers {
				a.Sender = number
			}
		}
		accounts[i] = a
	}
	c.Accounts = accounts
	return c
}
