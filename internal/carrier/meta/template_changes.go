package meta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// Subcodes of errors of templates. Who meets one: the name exists in the
	// language, or is being deleted.
	subcodeDeleting = 2388023
	subcodeExists   = 2388024
	codeContent     = 192 // a phone number or the like where none may be
)

// SubmitWhatsAppTemplate implements catalog.WhatsApp. The template asks for the
// category AUTHENTICATION, and WhatsApp is to try no longer to deliver its
// messages than the code lives.
func (c *Carrier) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	a, err := c.find(account, accountRef)
	if err != nil {
		return err
	}
	notes, err := c.notes(ctx, account, a)
	if err != nil {
		return err
	}
	now, key := c.deps.Now(), noteKeyOf(t)
	for at, n := range notes {
		if at.name == key.name && n.InGrace(now) {
			return catalog.ErrNameTaken
		}
	}
	there, err := c.fetch(ctx, a, key.name)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(there, func(l listed) bool {
		return l.Language == t.Language || statusOf(l.Status) == catalog.WhatsAppDeletionPending
	}) {
		return catalog.ErrNameTaken
	}
	var made struct {
		Status string `json:"status"`
	}
	err = c.ask(ctx, a, http.MethodPost, a.ID+"/message_templates", nil, submissionOf(t, a.ZeroTapTermsAccepted), &made)
	if err != nil {
		return c.refusal(ctx, a, t, err)
	}
	t.Status, t.Created, t.Updated = cmp.Or(statusOf(made.Status), catalog.WhatsAppPending), now, now
	c.mend(keyOf(a, t.Name, t.Language))
	return c.put(ctx, account, a, note{catalog.WhatsAppNote{WhatsAppTemplate: t}})
}

// refusal returns why a submission failed. What WhatsApp dislikes of a content
// is logged by its codes: the caller of the API does not get to see them.
func (c *Carrier) refusal(ctx context.Context, a *Account, t catalog.WhatsAppTemplate, err error) error {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok || e.missing():
		return catalogError(err)
	case e.Subcode == subcodeDeleting || e.Subcode == subcodeExists:
		return catalog.ErrNameTaken
	case e.Code == codeContent, e.Code == codeParameter:
		c.logger().WarnContext(ctx, "whatsapp refused a template", slog.String("whatsapp_account", a.ID),
			slog.String("template", token(t.Name)), slog.Int("code", e.Code), slog.Int("subcode", e.Subcode))
		return fmt.Errorf("%w: %w", catalog.ErrWhatsAppRefused, err)
	}
	return catalogError(err)
}

// DeleteWhatsAppTemplate implements catalog.WhatsApp.
func (c *Carrier) DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error {
	a, err := c.find(account, accountRef)
	if err != nil {
		return err
	}
	lower := strings.ToLower(name)
	there, err := c.fetch(ctx, a, lower)
	if err != nil {
		return err
	}
	notes, err := c.notes(ctx, account, a)
	if err != nil {
		return err
	}
	now := c.deps.Now()
	var live []note
	pending := false
	for _, l := range there {
		t := l.template()
		n, known := notes[noteKeyOf(t)]
		if !known || !n.Deleted.IsZero() && !n.InGrace(now) {
			t.Created, t.Updated = now, now
			n = note{catalog.WhatsAppNote{WhatsAppTemplate: t}}
		}
		if n.InGrace(now) || t.Status == catalog.WhatsAppDeletionPending {
			pending = true
			continue
		}
		live = append(live, n)
	}
	for at, n := range notes {
		pending = pending || at.name == lower && n.InGrace(now)
	}
	switch {
	case len(live) == 0 && pending:
		return nil
	case len(live) == 0:
		return catalog.ErrNotFound
	}
	var done struct {
		Success bool `json:"success"`
	}
	err = c.ask(ctx, a, http.MethodDelete, a.ID+"/message_templates", url.Values{"name": {lower}}, nil, &done)
	switch {
	case err != nil:
		return catalogError(err)
	case !done.Success:
		return fmt.Errorf("%w: it did not confirm", catalog.ErrWhatsAppUnreachable)
	}
	for _, n := range live {
		n.Deleted = now
		c.spoil(keyOf(a, n.Name, n.Language))
		if err := c.put(ctx, account, a, n); err != nil {
			return err
		}
	}
	return nil
}
