package sandbox

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// submission is how long handing a template in takes, in the background; of
	// a short review it takes submissionShare.
	submission      = 100 * time.Millisecond
	submissionShare = 20

	rejectedEnding = "_rejected"
)

// WhatsApp is a double of WhatsApp's side of templates. It knows every account
// id. A template is REQUESTED until it is handed in, a moment later, then
// PENDING for the time of the review, and then APPROVED, or REJECTED if its
// name ends in "_rejected". What a template is follows from when it was handed
// in, so that it survives a restart and needs nothing running.
//
// It satisfies catalog.LocalWhatsApp.
type WhatsApp struct {
	store  TemplateStore
	review time.Duration
	now    func() time.Time
}

// NewWhatsApp returns a double that keeps its templates in store, whose clock
// now is, and reviews them for as long as review.
func NewWhatsApp(store TemplateStore, review time.Duration, now func() time.Time) *WhatsApp {
	return &WhatsApp{store: store, review: review, now: now}
}

// LocalWhatsApp says that changes are to be seen at once.
func (w *WhatsApp) LocalWhatsApp() {}

// WhatsAppTemplates lists the account's templates, oldest first.
func (w *WhatsApp) WhatsAppTemplates(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppTemplate, error) {
	stored, err := w.store.SandboxTemplates(ctx, account, accountRef)
	if err != nil {
		return nil, fmt.Errorf("list sandbox templates: %w", err)
	}
	now := w.now()
	list := make([]catalog.WhatsAppTemplate, 0, len(stored))
	for _, s := range stored {
		list = append(list, w.at(s, now))
	}
	return list, nil
}

// SubmitWhatsAppTemplate hands a template in for review.
func (w *WhatsApp) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	if err := w.store.PutSandboxTemplate(ctx, account, accountRef, t); err != nil {
		return fmt.Errorf("hand in sandbox template: %w", err)
	}
	return nil
}

// DeleteWhatsAppTemplate marks all languages of name for deletion.
func (w *WhatsApp) DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error {
	if err := w.store.DeleteSandboxTemplate(ctx, account, accountRef, name); err != nil {
		return fmt.Errorf("delete sandbox template: %w", err)
	}
	return nil
}

// at returns what the template is at now.
func (w *WhatsApp) at(s StoredTemplate, now time.Time) catalog.WhatsAppTemplate {
	t := s.WhatsAppTemplate
	words := wordingOf(t.Language)
	t.Body, t.Footer = words.body(t.SecurityRecommendation), words.footer(t.Minutes)
	if !s.Deleted.IsZero() && now.After(s.Deleted) {
		now = s.Deleted // nothing happens to it any more
	}
	pending := t.Created.Add(min(submission, w.review/submissionShare))
	verdict := pending.Add(w.review)
	switch {
	case now.Before(pending):
		t.Status, t.Updated = catalog.WhatsAppRequested, t.Created
	case now.Before(verdict):
		t.Status, t.Updated = catalog.WhatsAppPending, pending
	case strings.HasSuffix(strings.ToLower(t.Name), rejectedEnding):
		t.Status, t.Updated = catalog.WhatsAppRejected, verdict
	default:
		t.Status, t.Updated, t.ButtonURL = catalog.WhatsAppApproved, verdict, buttonURL(t)
	}
	if !s.Deleted.IsZero() {
		t.Status, t.Updated = catalog.WhatsAppDeletionPending, s.Deleted
	}
	return t
}

// buttonURL is what WhatsApp assigns to the template's button.
func buttonURL(t catalog.WhatsAppTemplate) string {
	const base, code = "https://www.whatsapp.com/otp/code/?otp_type=", "&code=otp{{1}}"
	if !t.OneTap {
		return base + "COPY_CODE" + code
	}
	label := t.AutofillButtonText
	if label == "" {
		label = "Autofill"
	}
	hash := t.SignatureHash
	if plain, err := url.PathUnescape(hash); err == nil {
		hash = plain // it may come percent-encoded
	}
	return base + "ONE_TAP&cta_display_name=" + url.QueryEscape(label) +
		"&package_name=" + url.QueryEscape(t.PackageName) + "&signature_hash=" + url.QueryEscape(hash) + code
}
