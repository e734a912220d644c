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
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// Subcodes of errors of templates. Who meets one: the name exists in the
	// language, or is being deleted.
	subcodeDeleting = 2388023
	subcodeExists   = 2388024
	codeContent     = 192 // a phone number or the like where none may be
)

// alone waits until no other change of the account's templates goes on here: of
// two at once, the one that WhatsApp refuses would take what the other noted for
// its own. Call done at the end.
func (c *Carrier) alone(ctx context.Context, a *Account) (done func(), err error) {
	place := c.changing[a.ID]
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: another change takes long: %w", catalog.ErrWhatsAppUnreachable, context.Cause(ctx))
	}
}

// SubmitWhatsAppTemplate implements catalog.WhatsApp. The template asks for the
// category AUTHENTICATION, and WhatsApp is to try no longer to deliver its
// messages than the code lives.
func (c *Carrier) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	a, err := c.find(account, accountRef)
	if err != nil {
		return err
	}
	done, err := c.alone(ctx, a)
	if err != nil {
		return err
	}
	defer done()
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
	// Noted before it is asked: the answer may be lost, and what was submitted with it.
	t.Status, t.Created, t.Updated = catalog.WhatsAppPending, now, now
	asked := note{catalog.WhatsAppNote{WhatsAppTemplate: t}}
	if err := c.put(ctx, account, a, asked); err != nil {
		return err
	}
	var made struct {
		Status string `json:"status"`
	}
	err = c.ask(ctx, a, http.MethodPost, a.ID+"/message_templates", nil, submissionOf(t, a.ZeroTapTermsAccepted), &made)
	if err != nil {
		err = c.refusal(ctx, a, t, err)
		was, known := notes[key]
		if !known {
			was = asked
			was.Deleted = now.Add(-catalog.WhatsAppGrace) // which is as if there were none
		}
		return c.unless(ctx, account, a, err, revision{was, asked})
	}
	c.mend(keyOf(a, t.Name, t.Language))
	asked.Status = cmp.Or(statusOf(made.Status), asked.Status)
	// Once more though nothing may be new: another node may have asked for the same
	// meanwhile, and been refused.
	return c.put(ctx, account, a, asked)
}

// revision is a note as it was before it was asked, and as it was put then.
type revision struct{ was, put note }

// unless puts notes back as they were if err, which it returns, is WhatsApp's own
// refusal: then nothing changed there. Without an answer something may have. What
// another node made of a note meanwhile stays.
func (c *Carrier) unless(ctx context.Context, account string, a *Account, err error, revised ...revision) error {
	if e, ok := errors.AsType[*Error](err); (!ok || e.Status >= http.StatusInternalServerError) && !errors.Is(err, catalog.ErrNameTaken) {
		return err
	}
	kept, failed := c.notes(ctx, account, a)
	if failed != nil {
		return errors.Join(err, failed)
	}
	for _, r := range revised {
		if kept[noteKeyOf(r.put.WhatsAppTemplate)].isOf(r.put) {
			err = errors.Join(err, c.put(ctx, account, a, r.was))
		}
	}
	return err
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
	done, err := c.alone(ctx, a)
	if err != nil {
		return err
	}
	defer done()
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
		pending = pending || at.name == lower && n.unlisted().InGrace(now) // if it is listed, it is live or pending already
	}
	switch {
	case len(live) == 0 && pending:
		return nil
	case len(live) == 0:
		return catalog.ErrNotFound
	}
	revised := make([]revision, 0, len(live))
	for _, n := range live { // before it is asked, as in a submission
		was := n
		n.Deleting = now
		revised = append(revised, revision{was, n})
		if err := c.put(ctx, account, a, n); err != nil {
			return err
		}
	}
	var said struct {
		Success bool `json:"success"`
	}
	err = c.ask(ctx, a, http.MethodDelete, a.ID+"/message_templates", url.Values{"name": {lower}}, nil, &said)
	switch {
	case err != nil:
		return c.unless(ctx, account, a, catalogError(err), revised...)
	case !said.Success:
		return fmt.Errorf("%w: it did not confirm", catalog.ErrWhatsAppUnreachable)
	}
	for _, n := range live {
		n.Deleted, n.Deleting = now, time.Time{}
		c.spoil(keyOf(a, n.Name, n.Language))
		if err := c.put(ctx, account, a, n); err != nil {
			return err
		}
	}
	return nil
}
