package ledger

import (
	"context"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// Catalog is a catalog.Store whose changes are in the audit list. Its contexts
// come from WithActor.
type Catalog struct {
	catalog.Store

	log Auditor
}

// NewCatalog returns a store that writes changes down before store makes them.
func NewCatalog(store catalog.Store, log Auditor) *Catalog { return &Catalog{store, log} }

func (c *Catalog) do(ctx context.Context, account, action, subject string, do func() error) error {
	return Do(ctx, c.log, account, action, subject, do)
}

// CreateTemplate implements catalog.Store.
func (c *Catalog) CreateTemplate(ctx context.Context, account string, t catalog.Template) error {
	return c.do(ctx, account, audit.ActionTemplateCreate, string(t.Channel)+" "+t.ID, func() error {
		return c.Store.CreateTemplate(ctx, account, t)
	})
}

// UpdateTemplate implements catalog.Store.
func (c *Catalog) UpdateTemplate(ctx context.Context, account, id string, apply func(catalog.Template) (catalog.Template, error)) error {
	return c.do(ctx, account, audit.ActionTemplateChange, id, func() error { return c.Store.UpdateTemplate(ctx, account, id, apply) })
}

// DeleteTemplate implements catalog.Store.
func (c *Catalog) DeleteTemplate(ctx context.Context, account, id string, channel message.Channel) error {
	return c.do(ctx, account, audit.ActionTemplateDelete, string(channel)+" "+id, func() error {
		return c.Store.DeleteTemplate(ctx, account, id, channel)
	})
}

// CreateProfile implements catalog.Store.
func (c *Catalog) CreateProfile(ctx context.Context, account string, p catalog.Profile) error {
	return c.do(ctx, account, audit.ActionProfileCreate, p.ID, func() error { return c.Store.CreateProfile(ctx, account, p) })
}

// UpdateProfile implements catalog.Store.
func (c *Catalog) UpdateProfile(ctx context.Context, account, id string, apply func(catalog.Profile) (catalog.Profile, error)) error {
	return c.do(ctx, account, audit.ActionProfileChange, id, func() error { return c.Store.UpdateProfile(ctx, account, id, apply) })
}

// DeleteProfile implements catalog.Store.
func (c *Catalog) DeleteProfile(ctx context.Context, account, id string) error {
	return c.do(ctx, account, audit.ActionProfileDelete, id, func() error { return c.Store.DeleteProfile(ctx, account, id) })
}

// CreatePriority implements catalog.Store.
func (c *Catalog) CreatePriority(ctx context.Context, account string, p catalog.Priority) error {
	return c.do(ctx, account, audit.ActionPriorityCreate, p.ID, func() error { return c.Store.CreatePriority(ctx, account, p) })
}

// UpdatePriority implements catalog.Store.
func (c *Catalog) UpdatePriority(ctx context.Context, account, id string, apply func(catalog.Priority) (catalog.Priority, error)) error {
	return c.do(ctx, account, audit.ActionPriorityChange, id, func() error { return c.Store.UpdatePriority(ctx, account, id, apply) })
}

// DeletePriority implements catalog.Store.
func (c *Catalog) DeletePriority(ctx context.Context, account, id string) error {
	return c.do(ctx, account, audit.ActionPriorityDelete, id, func() error { return c.Store.DeletePriority(ctx, account, id) })
}

// CreateCallback implements catalog.Store.
func (c *Catalog) CreateCallback(ctx context.Context, account string, s catalog.SealedCallback) error {
	return c.do(ctx, account, audit.ActionCallbackCreate, s.ID, func() error { return c.Store.CreateCallback(ctx, account, s) })
}

// UpdateCallback implements catalog.Store.
func (c *Catalog) UpdateCallback(
	ctx context.Context, account, id string, apply func(catalog.SealedCallback) (catalog.SealedCallback, error),
) error {
	return c.do(ctx, account, audit.ActionCallbackChange, id, func() error { return c.Store.UpdateCallback(ctx, account, id, apply) })
}

// DeleteCallback implements catalog.Store.
func (c *Catalog) DeleteCallback(ctx context.Context, account, id string) error {
	return c.do(ctx, account, audit.ActionCallbackDelete, id, func() error { return c.Store.DeleteCallback(ctx, account, id) })
}

// SetWhatsAppAccount implements catalog.Store.
func (c *Catalog) SetWhatsAppAccount(ctx context.Context, account, whatsAppAccountID string) error {
	return c.do(ctx, account, audit.ActionWhatsAppAccount, whatsAppAccountID, func() error {
		return c.Store.SetWhatsAppAccount(ctx, account, whatsAppAccountID)
	})
}

// CreateApplication implements catalog.Store.
func (c *Catalog) CreateApplication(ctx context.Context, account string, a catalog.Application) error {
	return c.do(ctx, account, audit.ActionApplicationCreate, a.ID, func() error { return c.Store.CreateApplication(ctx, account, a) })
}

// UpdateApplication implements catalog.Store.
func (c *Catalog) UpdateApplication(
	ctx context.Context, account, id string, apply func(catalog.Application) (catalog.Application, error),
) error {
	return c.do(ctx, account, audit.ActionApplicationChange, id, func() error { return c.Store.UpdateApplication(ctx, account, id, apply) })
}

// DeleteApplication implements catalog.Store.
func (c *Catalog) DeleteApplication(ctx context.Context, account, id string) (gone catalog.Application, err error) {
	err = c.do(ctx, account, audit.ActionApplicationDelete, id, func() (err error) {
		gone, err = c.Store.DeleteApplication(ctx, account, id)
		return err //nolint:wrapcheck // the store's, as it is
	})
	return gone, err
}

// WhatsApp is a catalog.WhatsApp whose changes are in the audit list.
type WhatsApp struct {
	catalog.WhatsApp

	log Auditor
}

// NewWhatsApp is NewCatalog for the templates that WhatsApp holds.
func NewWhatsApp(w catalog.WhatsApp, log Auditor) *WhatsApp {
	return &WhatsApp{w, log}
}

// Chosen implements catalog.ChosenWhatsApp, so that what is asked is remembered or
// not as its kind is. Changes go by w itself.
func (w *WhatsApp) Chosen(account, accountRef string) catalog.WhatsApp {
	if chosen, ok := w.WhatsApp.(catalog.ChosenWhatsApp); ok {
		return chosen.Chosen(account, accountRef)
	}
	return w.WhatsApp
}

// SubmitWhatsAppTemplate implements catalog.WhatsApp.
func (w *WhatsApp) SubmitWhatsAppTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error {
	return Do(ctx, w.log, account, audit.ActionWhatsAppSubmit, t.Name+" "+t.Language, func() error {
		return w.WhatsApp.SubmitWhatsAppTemplate(ctx, account, accountRef, t)
	})
}

// DeleteWhatsAppTemplate implements catalog.WhatsApp.
func (w *WhatsApp) DeleteWhatsAppTemplate(ctx context.Context, account, accountRef, name string) error {
	return Do(ctx, w.log, account, audit.ActionWhatsAppDelete, name, func() error {
		return w.WhatsApp.DeleteWhatsAppTemplate(ctx, account, accountRef, name)
	})
}
