package sqlite

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	readWhatsApp = "SELECT ref FROM whatsapp_accounts WHERE account_id = ?"
	addWhatsApp  = "INSERT INTO whatsapp_accounts (account_id, ref) VALUES (?, ?)"
)

// WhatsAppAccount implements catalog.Store.
func (s *Store) WhatsAppAccount(ctx context.Context, account string) (string, error) {
	owner, err := s.owner(ctx, account)
	if err != nil {
		return "", err
	}
	ref, err := must(s.pooled(ctx), scanText, readWhatsApp, owner)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		err = s.readError("read WhatsApp account", err)
	}
	return ref, err
}

// SetWhatsAppAccount implements catalog.Store.
func (s *Store) SetWhatsAppAccount(ctx context.Context, account, whatsAppAccountID string) error {
	return s.changeCatalog(ctx, account, func(t *tx, owner int64) error {
		if err := free(t.query, catalog.ErrExists, readWhatsApp, owner); err != nil {
			return err
		}
		return t.all(do(addWhatsApp, owner, whatsAppAccountID))
	})
}

func scanText(rows rower) (text string, err error) {
	err = rows.Scan(&text)
	return text, err //nolint:wrapcheck // the caller says what it was doing
}
