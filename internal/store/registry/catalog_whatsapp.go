package registry

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	readWhatsApp = "SELECT ref FROM whatsapp_accounts WHERE account_id = $1"
	addWhatsApp  = "INSERT INTO whatsapp_accounts (account_id, ref) VALUES ($1, $2)"
)

// WhatsAppAccount implements catalog.Store.
func (r *Registry) WhatsAppAccount(ctx context.Context, account string) (string, error) {
	owner, err := r.owner(ctx, account)
	if err != nil {
		return "", err
	}
	ref, err := must(r.db.Ask(ctx, owner), ScanText, readWhatsApp, owner)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = r.db.ReadError("read WhatsApp account", err)
	}
	return ref, err
}

// SetWhatsAppAccount implements catalog.Store.
func (r *Registry) SetWhatsAppAccount(ctx context.Context, account, whatsAppAccountID string) error {
	return r.changeCatalog(ctx, account, func(t Tx, owner int64) error {
		if err := free(t.Query, catalog.ErrExists, readWhatsApp, owner); err != nil {
			return err
		}
		return writeCatalog(t, do(addWhatsApp, owner, whatsAppAccountID))
	})
}
