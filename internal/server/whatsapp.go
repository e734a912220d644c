package server

import (
	"context"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/fleet"
)

// whatsApp is the WhatsApp of a deployment as it is at the moment: the carriers'
// accounts, and for all others the sandbox's double while that serves.
type whatsApp struct {
	*meta.Directory

	rest restWhatsApp
}

func newWhatsApp(f *fleet.Fleet, box *Box) *whatsApp {
	rest := restWhatsApp{f, box}
	return &whatsApp{meta.NewDirectory(f.WhatsApps, rest), rest}
}

// Chosen implements catalog.ChosenWhatsApp.
func (w *whatsApp) Chosen(account, accountRef string) catalog.WhatsApp {
	for _, c := range w.rest.fleet.WhatsApps() {
		if c.AnswersFor(account, accountRef) {
			return c
		}
	}
	return w.rest.present()
}

// restWhatsApp is for accounts that no carrier answers for.
type restWhatsApp struct {
	fleet *fleet.Fleet
	box   *Box
}

func (w restWhatsApp) present() catalog.WhatsApp {
	switch {
	case w.fleet.Serves():
		return w.box.whatsApp
	case len(w.fleet.WhatsApps()) > 0:
		return noWhatsApp{catalog.ErrWhatsAppAccount}
	}
	return noWhatsApp{catalog.ErrWhatsAppUnreachable}
}

func (w restWhatsApp) WhatsAppTemplates(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppTemplate, error) {
	return w.present().WhatsAppTemplates(ctx, account, accountRef) //nolint:wrapcheck // it only chooses
}

func (w restWhatsApp) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	return w.present().SubmitWhatsAppTemplate(ctx, account, accountRef, t) //nolint:wrapcheck // it only chooses
}

func (w restWhatsApp) DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error {
	return w.present().DeleteWhatsAppTemplate(ctx, account, accountRef, name) //nolint:wrapcheck // it only chooses
}

// noWhatsApp is the WhatsApp of whoever has none.
type noWhatsApp struct{ err error }

func (n noWhatsApp) WhatsAppTemplates(context.Context, string, string) ([]catalog.WhatsAppTemplate, error) {
	return nil, n.err
}

func (n noWhatsApp) SubmitWhatsAppTemplate(context.Context, string, string, catalog.WhatsAppTemplate) error {
	return n.err
}

func (n noWhatsApp) DeleteWhatsAppTemplate(context.Context, string, string, string) error {
	return n.err
}
