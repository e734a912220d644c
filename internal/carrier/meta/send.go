package meta

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

const (
	maxCode = 15  // characters of a parameter of an authentication template
	maxRef  = 512 // of a message id; theirs have about 60
)

// outgoing is a message with a template.
type outgoing struct {
	Product      string       `json:"messaging_product"`
	Kind         string       `json:"recipient_type"`
	To           string       `json:"to"`
	Type         string       `json:"type"`
	CallbackData string       `json:"biz_opaque_callback_data,omitempty"`
	Template     templateCall `json:"template"`
}

type templateCall struct {
	Name       string           `json:"name"`
	Language   templateLanguage `json:"language"`
	Components []component      `json:"components"`
}

type templateLanguage struct {
	Policy string `json:"policy"`
	Code   string `json:"code"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type,omitempty"`
	Index      string      `json:"index,omitempty"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// addressed is what a message resolves to.
type addressed struct {
	account  *Account
	phoneID  string
	to       string // digits
	template templateKey
}

// templateKey names a template at WhatsApp.
type templateKey struct{ account, name, language string }

func keyOf(a *Account, name, language string) templateKey {
	return templateKey{a.ID, strings.ToLower(name), language} // WhatsApp has no capitals in names
}

// Submit hands one message over. It satisfies delivery.Carrier.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	to, refused := c.address(m)
	if refused == nil {
		refused = c.resting(to)
	}
	if refused != nil {
		return *refused
	}
	req, err := c.request(ctx, to.account, http.MethodPost, to.phoneID+"/messages", nil, c.compose(m, to))
	if err != nil {
		return *refuse(delivery.Config, "request", "The request could not be made")
	}
	answer, none := c.client.Do(req)
	if none != nil {
		return *none
	}
	if ref := messageID(answer.Body); ref != "" && answer.Status < http.StatusMultipleChoices {
		return delivery.Result{Class: delivery.Accepted, Ref: ref, NoReceipt: c.deps.ReceiptURL == ""}
	}
	r, p := c.cfg.judge(answer, c.deps.Now())
	if p != nil {
		r.Own = r.Class == delivery.Config && c.cfg.ownCause(to, *p)
		c.learn(ctx, to, p.Code, r.Class)
	}
	return r
}

// address finds account, number and template of a message, or says why there
// are none.
func (c *Carrier) address(m delivery.Message) (addressed, *delivery.Result) {
	no := func(class delivery.Class, code, text string) (addressed, *delivery.Result) {
		return addressed{}, refuse(class, code, text)
	}
	number, ok := m.Recipient.Number()
	size := len([]rune(m.Code.Reveal()))
	a := c.cfg.account(m.Account, m.Step.AccountRef)
	switch {
	case m.Step.Channel != message.WhatsApp:
		return no(delivery.Config, "channel", "The Cloud API carries no messages but WhatsApp's")
	case !ok:
		return no(delivery.Permanent, "recipient", "The recipient is no phone number")
	case !m.Ends().After(c.deps.Now()):
		return no(delivery.Permanent, "expired", "The code's life is over")
	case size < 1 || size > maxCode:
		return no(delivery.Permanent, "code", "The code has a length that WhatsApp does not take")
	case a == nil:
		return no(delivery.Config, "account", "The WhatsApp account is not configured, or not for this API account")
	case m.Step.Template == "" || m.Step.Language == "":
		return no(delivery.Config, "template", "The message names no WhatsApp template")
	}
	sender := strings.TrimPrefix(m.Step.Sender, "+")
	if sender == "" {
		sender = a.Sender
	}
	phoneID := a.Numbers[sender]
	if phoneID == "" {
		return no(delivery.Config, "sender", "The sender is no business number of the WhatsApp account")
	}
	return addressed{a, phoneID, digitsOf(number), keyOf(a, m.Step.Template, m.Step.Language)}, nil
}

func (c *Carrier) compose(m delivery.Message, to addressed) outgoing {
	code := []parameter{{Type: "text", Text: m.Code.Reveal()}}
	out := outgoing{
		Product: "whatsapp", Kind: "individual", To: to.to, Type: "template", CallbackData: m.Dedupe,
		Template: templateCall{
			Name:     to.template.name,
			Language: templateLanguage{Policy: "deterministic", Code: to.template.language},
			// Copy-code, one-tap and zero-tap templates all take the code twice.
			Components: []component{
				{Type: "body", Parameters: code},
				{Type: "button", SubType: "url", Index: "0", Parameters: code},
			},
		},
	}
	if c.cfg.NoCallbackData {
		out.CallbackData = ""
	}
	return out
}

// messageID returns the id of an accepted message, "" for anything else.
func messageID(body []byte) string {
	var said struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if json.Unmarshal(body, &said) != nil || len(said.Messages) != 1 || len(said.Messages[0].ID) > maxRef {
		return ""
	}
	return said.Messages[0].ID
}

// resting refuses what is known to fail.
func (c *Carrier) resting(to addressed) *delivery.Result {
	now := c.deps.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.absent.has(c.person(to.account, to.to), now):
		return &delivery.Result{Class: delivery.Permanent, Own: true, Failure: failureOf(codeNotOnWA)}
	case c.held.has(to.phoneID, now):
		return &delivery.Result{Class: delivery.Config, Own: c.cfg.ownCause(to, problem{Code: codeSpamLimit}), Failure: failureOf(codeSpamLimit)}
	case c.spoilt.has(to.template, now):
		return refuse(delivery.Config, "template", "WhatsApp took the template out of use")
	}
	return nil
}

// learn remembers what an error says about the messages to come.
func (c *Carrier) learn(ctx context.Context, to addressed, code int, class delivery.Class) {
	switch code {
	case codeNotOnWA:
		if class == delivery.Permanent { // else the operator knows better
			c.rememberAbsent(to.account, to.to)
		}
	case codeSpamLimit:
		c.hold(to.phoneID)
	case codeNoTemplate, codePaused, codeDisabled:
		c.logger().WarnContext(ctx, "a template cannot be sent",
			slog.String("template", token(to.template.name)), slog.String("language", token(to.template.language)), slog.Int("code", code))
		c.spoil(to.template)
		c.tell(to.account, to.template, false) // its status is yet to be asked for
	}
}

func (c *Carrier) rememberAbsent(a *Account, digits string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.absent.add(c.person(a, digits), c.deps.Now(), absentFor)
}

func (c *Carrier) hold(phoneID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.add(phoneID, c.deps.Now(), holdFor)
}

func (c *Carrier) spoil(key templateKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoilt.add(key, c.deps.Now(), spoiltFor)
}

// mend forgets that a template was out of use.
func (c *Carrier) mend(key templateKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoilt.forget(key)
}

// mendListed forgets it where a list that was read now has the template as
// approved, unless the list may be older than what took it out of use.
func (c *Carrier) mendListed(key templateKey, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if spoilt := c.spoilt.until(key).Add(-spoiltFor); now.Sub(spoilt) >= listLag {
		c.spoilt.forget(key)
	}
}

// tell says that a template of an account is gone, or else that it has another
// status.
func (c *Carrier) tell(a *Account, t templateKey, gone bool) {
	for _, ref := range append([]string{a.ID}, a.Refs...) {
		c.deps.Changed(catalog.WhatsAppChange{AccountRef: ref, Template: t.name, Language: t.language, Gone: gone})
	}
}
