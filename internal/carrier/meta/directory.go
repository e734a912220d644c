package meta

import (
	"context"

	"github.com/countersign/countersign/internal/catalog"
)

// Directory is the WhatsApp of a deployment: it sends each question about
// templates to the carrier that answers for the account. It satisfies
// catalog.WhatsApp.
type Directory struct {
	carriers  func() []*Carrier
	otherwise catalog.WhatsApp
}

// NewDirectory returns a directory of the carriers that carriers returns at
// each call, so that a reload may change them. Accounts that none of them
// answers for are otherwise's; nil: they are unknown.
func NewDirectory(carriers func() []*Carrier, otherwise catalog.WhatsApp) *Directory {
	return &Directory{carriers, otherwise}
}

func (d *Directory) of(account, accountRef string) (catalog.WhatsApp, error) {
	for _, c := range d.carriers() {
		if c.AnswersFor(account, accountRef) {
			return c, nil
		}
	}
	if d.otherwise != nil {
		return d.otherwise, nil
	}
	return nil, catalog.ErrWhatsAppAccount
}

// WhatsAppTemplates implements catalog.WhatsApp.
func (d *Directory) WhatsAppTemplates(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppTemplate, error) {
	w, err := d.of(account, accountRef)
	if err != nil {
		return nil, err
	}
	return w.WhatsAppTemplates(ctx, account, accountRef) //nolint:wrapcheck // the caller's own interface
}

// SubmitWhatsAppTemplate implements catalog.WhatsApp.
func (d *Directory) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	w, err := d.of(account, accountRef)
	if err != nil {
		return err
	}
	return w.SubmitWhatsAppTemplate(ctx, account, accountRef, t) //nolint:wrapcheck // the caller's own interface
}

// DeleteWhatsAppTemplate implements catalog.WhatsApp.
func (d *Directory) DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error {
	w, err := d.of(account, accountRef)
	if err != nil {
		return err
	}
	return w.DeleteWhatsAppTemplate(ctx, account, accountRef, name) //nolint:wrapcheck // the caller's own interface
}
