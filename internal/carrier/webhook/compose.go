package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Types of requests.
const (
	typeSubmit = "delivery.submit"
	typeCheck  = "carrier.check"
)

// submit is the body of a request.
type submit struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Channel    message.Channel   `json:"channel"`
	To         string            `json:"to"`
	From       string            `json:"from,omitempty"`
	Language   string            `json:"language,omitempty"`
	Text       string            `json:"text"`
	Code       string            `json:"code,omitempty"`
	Segments   int               `json:"segments,omitempty"`
	Encoding   string            `json:"encoding,omitempty"`
	Voice      string            `json:"voice,omitempty"`
	ExpiresAt  string            `json:"expiresAt"`
	Template   *template         `json:"template,omitempty"`
	Attempt    int               `json:"attempt"`
	ReceiptURL string            `json:"receiptUrl,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// template is one that the channel's operator holds.
type template struct {
	Name    string   `json:"name"`
	Account string   `json:"account,omitempty"`
	Params  []string `json:"params,omitempty"` // the code, if it may be told
}

func (c *Carrier) compose(m delivery.Message) ([]byte, error) {
	s := submit{
		ID: m.Dedupe, Type: typeSubmit, Channel: m.Step.Channel, To: m.Recipient.Reveal(), From: m.Step.Sender,
		Language: m.Step.Language, Text: m.Text(), ExpiresAt: m.Expires.UTC().Format(time.RFC3339), Attempt: m.Try,
		ReceiptURL: c.deps.ReceiptURL, Metadata: c.cfg.Metadata,
	}
	if c.cfg.IncludeCode {
		s.Code = m.Code.Reveal()
	}
	switch m.Step.Channel {
	case message.SMS:
		cost := message.Segments(s.Text)
		s.Segments, s.Encoding = cost.Segments, cost.Encoding.String()
	case message.Voice:
		s.Voice = m.Step.Voice
	case message.WhatsApp, message.Viber, message.Email:
	}
	if m.Step.Template != "" {
		s.Template = &template{Name: m.Step.Template, Account: m.Step.AccountRef}
		if c.cfg.IncludeCode {
			s.Template.Params = []string{s.Code}
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write message: %w", err)
	}
	return b, nil
}
