package twilio_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

func TestWhatAMessageBroughtAlongIsToldFromWhatTheAccountLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		channel      message.Channel
		sender       string
		status, code int
		own          bool
	}{
		{"a country that is switched off", message.SMS, "", http.StatusForbidden, 21408, true},
		{"a country that is not called", message.Voice, "", http.StatusForbidden, 21215, true},
		{"no campaign for a country", message.SMS, "", http.StatusBadRequest, 30034, true},
		{"a person who did not write", message.WhatsApp, "", http.StatusBadRequest, 63016, true},
		{"the message's sender", message.SMS, "Acme", http.StatusBadRequest, 21606, true},
		{"the configured sender", message.SMS, "", http.StatusBadRequest, 21606, false},
		{"the configured sender, asked for by the message too", message.SMS, "+15005550006", http.StatusBadRequest, 21212, false},
		{"the message's caller", message.Voice, "+493012345678", http.StatusBadRequest, 21210, true},
		{"the configured caller", message.Voice, "", http.StatusBadRequest, 21210, false},
		{"the message's business number", message.WhatsApp, "+493012345678", http.StatusBadRequest, 21212, true},
		{"the configured business number", message.WhatsApp, "", http.StatusBadRequest, 21212, false},
		{"credentials", message.SMS, "Acme", http.StatusUnauthorized, 20003, false},
	} {
		s := start(t, func(cfg *twilio.Config, _ *twilio.Deps) { cfg.Senders = []string{"*"} })
		s.script(refusal(c.status, c.code))
		m := text(t, c.channel, "{code}")
		m.Step.Sender = c.sender
		if got := s.submit(t, m); got.Class != delivery.Config || got.Own != c.own {
			t.Errorf("%s: Submit = %+v; want Config, the message's own: %t", c.name, got, c.own)
		}
	}
}

func TestASenderThatTheServerNamesIsNotTheMessagesOwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		channel message.Channel
		sender  string
		status  int
		code    int
		own     bool
	}{
		{message.SMS, "VERIFY", http.StatusBadRequest, 21212, false},
		{message.SMS, "VERIFY", http.StatusBadRequest, 21606, false},
		{message.Voice, "+493012345678", http.StatusBadRequest, 21210, false},
		{message.WhatsApp, "+493012345678", http.StatusBadRequest, 21212, false},
		{message.SMS, "VERIFY", http.StatusForbidden, 21408, true}, // its country is
	} {
		s := start(t, func(cfg *twilio.Config, _ *twilio.Deps) { cfg.Senders = []string{"*"} })
		s.script(refusal(c.status, c.code))
		m := text(t, c.channel, "{code}")
		m.Step.Sender, m.DefaultSender = c.sender, true
		got := s.submit(t, m)
		if from := strings.TrimPrefix(s.last(t).form.Get("From"), "whatsapp:"); got.Class != delivery.Config || got.Own != c.own || from != c.sender {
			t.Errorf("%s from %s, %d: Submit = %+v; want Config from %s, the message's own: %t", c.channel, from, c.code, got, c.sender, c.own)
		}
	}
}

func TestWhatAPersonIsRefusedForShowsThatTheCarrierWorks(t *testing.T) {
	t.Parallel()
	s := start(t, func(*twilio.Config, *twilio.Deps) {})
	s.script(refusal(http.StatusBadRequest, 21211))
	if got := s.submit(t, sms(t)); got.Class != delivery.Permanent || got.Own {
		t.Errorf("Submit = %+v; want Permanent, by Twilio", got)
	}
}
