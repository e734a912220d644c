package twilio

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/phone"
)

// Bounds of Twilio's Message resource.
const (
	maxBody       = 1600 // characters
	leastValidity = 5 * time.Second
	mostValidity  = 36000 * time.Second
)

// whatsAppPrefix makes an address of WhatsApp of a number.
const whatsAppPrefix = "whatsapp:"

// sms returns the form of an SMS.
func (c *Carrier) sms(m delivery.Message, to phone.Number) (url.Values, *delivery.Result) {
	text := m.Text()
	if refused := fits(text); refused != nil {
		return nil, refused
	}
	form := url.Values{"To": {to.Reveal()}, "Body": {text}}
	if from := c.cfg.allowed(m.Step.Sender, c.cfg.From, senderOf); from != "" {
		form.Set("From", from)
	}
	if c.cfg.MessagingServiceSID != "" {
		form.Set("MessagingServiceSid", c.cfg.MessagingServiceSID)
	}
	if c.cfg.SmartEncoded {
		form.Set("SmartEncoded", "true")
	}
	if c.cfg.RiskCheck != "" {
		form.Set("RiskCheck", c.cfg.RiskCheck)
	}
	return form, nil
}

// whatsApp returns the form of a message on WhatsApp: an approved template with
// the code as its first variable, or the text if that is allowed.
func (c *Carrier) whatsApp(m delivery.Message, to phone.Number) (url.Values, *delivery.Result) {
	form := url.Values{
		"To":   {whatsAppPrefix + to.Reveal()},
		"From": {whatsAppPrefix + c.cfg.allowed(m.Step.Sender, c.cfg.WhatsAppFrom, numberOf)},
	}
	if sid := c.cfg.content(m.Step); sid != "" {
		variables, err := json.Marshal(map[string]string{"1": m.Code.Reveal()})
		if err != nil {
			return nil, refuse("content", "The code makes no variable")
		}
		form.Set("ContentSid", sid)
		form.Set("ContentVariables", string(variables))
		return form, nil
	}
	text := m.Text()
	if !c.cfg.WhatsAppText {
		return nil, &delivery.Result{
			Class: delivery.Config, Own: true, Failure: failure("template", "The carrier has no approved template for the message"),
		}
	}
	form.Set("Body", text)
	return form, fits(text)
}

// content returns the SID of the template for a step, "" for none.
func (s *settled) content(step delivery.Step) string {
	for _, key := range []string{step.Template + "/" + step.Language, step.Template, "*"} {
		if sid := s.Content[key]; sid != "" {
			return sid
		}
	}
	return ""
}

// common adds what messages of all channels have.
func (s *settled) common(form url.Values, life time.Duration) {
	life = min(max(life, leastValidity), mostValidity)
	form.Set("ValidityPeriod", seconds(life))
	if s.ContentRetention != "" {
		form.Set("ContentRetention", s.ContentRetention)
	}
	if s.AddressRetention != "" {
		form.Set("AddressRetention", s.AddressRetention)
	}
}

func fits(text string) *delivery.Result {
	if n := utf8.RuneCountInString(text); n == 0 || n > maxBody {
		return refuse("length", "The text is empty or longer than Twilio takes")
	}
	return nil
}

// seconds writes whole seconds.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
