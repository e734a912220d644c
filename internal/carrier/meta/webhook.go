package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
)

// webhook is what WhatsApp posts. Fields that are of no use are not read.
type webhook struct {
	Entry []struct {
		ID      string   `json:"id"`
		Changes []change `json:"changes"`
	} `json:"entry"`
}

// change is news of one kind; which one is read depends on the field.
type change struct {
	Field    string
	messages messageNews
	template templateNews
}

type messageNews struct {
	Metadata struct {
		PhoneNumberID string `json:"phone_number_id"`
	} `json:"metadata"`
	Statuses []status   `json:"statuses"`
	Messages []struct{} `json:"messages"`
}

const statusFailed = "failed"

// status is news of a message that was sent.
type status struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Recipient string `json:"recipient_id"`
	Errors    []struct {
		Code int `json:"code"`
	} `json:"errors"`
}

// templateNews is news of a template.
type templateNews struct {
	Event    string `json:"event"`
	Name     string `json:"message_template_name"`
	Language string `json:"message_template_language"`
	Reason   string `json:"reason"`
}

// UnmarshalJSON reads the value only of fields that are known: others have
// values of any form.
func (c *change) UnmarshalJSON(raw []byte) error {
	var outer struct {
		Field string          `json:"field"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return fmt.Errorf("read change: %w", err)
	}
	c.Field = outer.Field
	var into any
	switch outer.Field {
	case "messages":
		into = &c.messages
	case "message_template_status_update":
		into = &c.template
	default:
		return nil
	}
	if err := json.Unmarshal(outer.Value, into); err != nil {
		return fmt.Errorf("read value: %w", err)
	}
	return nil
}

// readWebhook reads a body. That of another object than a WhatsApp account has
// no entries.
func readWebhook(raw []byte) (webhook, error) {
	var kind struct {
		Object string `json:"object"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return webhook{}, fmt.Errorf("read webhook: %w", err)
	}
	if kind.Object != "whatsapp_business_account" {
		return webhook{}, nil
	}
	var hook webhook
	if err := json.Unmarshal(raw, &hook); err != nil {
		return webhook{}, fmt.Errorf("read webhook: %w", err)
	}
	return hook, nil
}

// receiptOf returns the receipt that a status is, false if it is none: not
// final, or of a number of somebody else's.
func (c *Carrier) receiptOf(a *Account, phoneID string, s status) (delivery.Receipt, bool) {
	if !a.owns(phoneID) || s.ID == "" || len(s.ID) > maxRef {
		c.notice(ForeignReceipt)
		return delivery.Receipt{}, false
	}
	r := delivery.Receipt{Carrier: c.cfg.Name, Ref: s.ID}
	switch s.Status {
	case "delivered", "read": // read may come without delivered
		r.State = delivery.ReceiptDelivered
	case statusFailed:
		r.State = delivery.ReceiptUndeliverable
		r.Failure = failure(statusFailed, "WhatsApp reported a failure without a reason")
		if len(s.Errors) > 0 {
			r.Failure = failureOf(s.Errors[0].Code)
		}
	default: // sent, and what is to come: nothing final
		return delivery.Receipt{}, false
	}
	return r, true
}

// failedLater acts on a failure that came after a message of ours was accepted.
func (c *Carrier) failedLater(ctx context.Context, a *Account, phoneID string, s status) {
	if s.Status != statusFailed || len(s.Errors) == 0 {
		return
	}
	code := s.Errors[0].Code
	switch class := c.cfg.classOf(problem{Code: code}, delivery.Permanent); {
	case class == delivery.Permanent && code == codeNotOnWA:
		c.rememberAbsent(a, onlyDigits(s.Recipient))
	case class == delivery.Config:
		if code == codeSpamLimit {
			c.hold(phoneID)
		}
		c.notice(OperatorTrouble)
		why := failureOf(code)
		c.logger().ErrorContext(ctx, "a message failed for what the operator must act on",
			slog.String("phone_number_id", phoneID), slog.String("code", why.Code), slog.String("text", why.Text))
	}
}

// owns reports whether a phone number id is one of the account's.
func (a *Account) owns(phoneID string) bool {
	for _, id := range a.Numbers {
		if id == phoneID {
			return true
		}
	}
	return false
}

// Events of templates after which they can be sent, or not any more. Others,
// such as FLAGGED, change nothing.
var (
	usableEvents = []string{"APPROVED", "UNARCHIVED", "REINSTATED"}
	spoilEvents  = []string{"REJECTED", "PAUSED", "DISABLED", "PENDING_DELETION", "DELETED", "ARCHIVED"}
)

// review acts on news of a template.
func (c *Carrier) review(ctx context.Context, a *Account, n templateNews) {
	event := strings.ToUpper(n.Event)
	key := keyOf(a, n.Name, n.Language)
	level, gone := slog.LevelInfo, slices.Contains(spoilEvents, event)
	switch {
	case gone:
		c.spoil(key)
		level = slog.LevelWarn
	case slices.Contains(usableEvents, event):
		c.mend(key)
	}
	c.logger().LogAttrs(ctx, level, "whatsapp reports a template's status",
		slog.String("whatsapp_account", a.ID), slog.String("template", token(n.Name)), slog.String("language", token(n.Language)),
		slog.String("event", token(event)), slog.String("reason", token(n.Reason)))
	c.tell(a, key, gone)
}

const maxToken = 64

// token makes what a peer wrote fit for logs: letters, digits and a few signs,
// and not many of them.
func token(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() == maxToken {
			break
		}
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
