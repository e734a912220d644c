package twilio

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// meaning is what is known of an error code.
type meaning struct {
	class delivery.Class
	text  string // for people
}

// Codes that receipts are read by.
const (
	codeRateLimit = 20429
	codeExpired   = 30036
)

// meanings says what Twilio's error codes mean, of answers and of receipts; it
// is read only. Config.Errors goes first.
var meanings = map[int]meaning{
	codeRateLimit: {delivery.Retry, "Too many requests at a time"},
	21611:         {delivery.Retry, "The sender's queue is full"},
	30001:         {delivery.Retry, "The sender's queue is full"},
	30003:         {delivery.Retry, "The handset cannot be reached"},
	30008:         {delivery.Retry, "The network gave no reason"},
	30017:         {delivery.Retry, "The network is congested"},
	30022:         {delivery.Retry, "The sender's rate is exceeded"},

	21211:       {delivery.Permanent, "The number does not exist"},
	21214:       {delivery.Permanent, "The number cannot be called"},
	21216:       {delivery.Permanent, "The number may not be called"},
	21217:       {delivery.Permanent, "The number does not exist"},
	21610:       {delivery.Permanent, "The recipient has opted out"},
	21612:       {delivery.Permanent, "There is no way to the number from this sender"},
	21614:       {delivery.Permanent, "The number is no mobile phone"},
	30004:       {delivery.Permanent, "The message is blocked"},
	30005:       {delivery.Permanent, "The handset is unknown"},
	30006:       {delivery.Permanent, "The number is a fixed line or cannot be reached"},
	30007:       {delivery.Permanent, "The message was filtered"},
	codeExpired: {delivery.Permanent, "The message's time was over before it was sent"},

	10001: {delivery.Config, "The account is not active"},
	13224: {delivery.Config, "The caller may not call the number"},
	20003: {delivery.Config, "Account or token is wrong"},
	20404: {delivery.Config, "The account does not have what was asked for"},
	21210: {delivery.Config, "The caller is not verified"},
	21212: {delivery.Config, "The sender is not valid"},
	21215: {delivery.Config, "The account may not call the country"},
	21408: {delivery.Config, "The account may not send to the country"},
	21603: {delivery.Config, "A sender is missing"},
	21604: {delivery.Config, "A recipient is missing"},
	21606: {delivery.Config, "The sender is not the account's or cannot send SMS"},
	30002: {delivery.Config, "The account is suspended"},
	30034: {delivery.Config, "The sender is in no campaign for the United States"},
	63016: {delivery.Config, "WhatsApp wants an approved template"},
}

// classOf returns the class of an error code; false if nothing is known of it.
func (s *settled) classOf(code int) (delivery.Class, bool) {
	if class, ok := s.classes[code]; ok {
		return class, true
	}
	m, ok := meanings[code]
	return m.class, ok
}

// ownCause reports whether an error code of class Config is about what the
// message brought along, and not about the account: its country, its template,
// or the sender if the message had it from elsewhere than the configuration, the
// carrier's or the server's.
func (c *Carrier) ownCause(code string, m delivery.Message, form url.Values) bool {
	switch code {
	case "13224", "21215", "21408", "30034": // the country
		return true
	case "63016": // whether the person wrote before
		return true
	case "21210", "21212", "21606":
		if m.DefaultSender {
			return false // it, or the carrier's own instead
		}
		from := strings.TrimPrefix(form.Get("From"), whatsAppPrefix)
		switch m.Step.Channel {
		case message.Voice:
			return from != numberOf(c.cfg.Caller)
		case message.WhatsApp:
			return from != numberOf(c.cfg.WhatsAppFrom)
		default:
			return from != "" && from != senderOf(c.cfg.From)
		}
	}
	return false
}

// failureOf returns what is reported of an error code. Twilio's own words hold
// numbers.
func failureOf(code int) otp.Failure {
	m, ok := meanings[code]
	if !ok {
		m.text = "Twilio refused it"
	}
	return failure(strconv.Itoa(code), m.text)
}
