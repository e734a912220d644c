package tyntecv4

import (
	"cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/message"
)

// DefaultSender is the SMS sender of an operator who chose none. The setting takes
// its default from here.
const DefaultSender = "VERIFY"

// Senders are the server's: used where neither request nor account names one, ""
// for none.
type Senders struct {
	SMS      string
	Voice    string // none: the carrier's
	Viber    string
	WhatsApp string
}

// Of returns what a message on channel is sent from where nobody but the server
// names anything, "" for none.
func (s Senders) Of(c message.Channel) string {
	switch c {
	case message.SMS:
		return s.SMS
	case message.Voice:
		return s.Voice
	case message.Viber:
		return s.Viber
	case message.WhatsApp:
		return s.WhatsApp
	case message.Email: // no channel of this API
	}
	return ""
}

// For returns what a message on channel is sent from where the request names
// nothing: the account's choice, then the server's.
func (s Senders) For(a account.Account, c message.Channel) string {
	own := ""
	switch c {
	case message.SMS:
		own = a.Setting(account.SettingSender)
	case message.Voice:
		own = a.Setting(account.SettingCaller)
	case message.Viber:
		own = a.Setting(account.SettingSenderViber)
	case message.WhatsApp:
		own = a.Setting(account.SettingSenderWA)
	case message.Email: // likewise
	}
	return cmp.Or(own, s.Of(c))
}
