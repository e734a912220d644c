package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// Both use whatsapp_notes_pkey.
	readWhatsAppNotes = "SELECT note FROM whatsapp_notes WHERE account_id = $1 AND ref = $2"
	putWhatsAppNote   = `INSERT INTO whatsapp_notes (account_id, ref, folded, language, note) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, ref, folded, language) DO UPDATE SET note = excluded.note`
)

// WhatsAppNotes implements catalog.WhatsAppNotes.
func (r *Registry) WhatsAppNotes(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppNote, error) {
	owner, err := r.AccountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := Collect(r.db.Ask(ctx, owner), scanWhatsAppNote, readWhatsAppNotes, owner, accountRef)
	if err != nil {
		return nil, r.db.ReadError("read WhatsApp notes", err)
	}
	return list, nil
}

func scanWhatsAppNote(rows Row) (n catalog.WhatsAppNote, err error) {
	var text []byte
	if err := rows.Scan(&text); err != nil {
		return n, err
	}
	err = json.Unmarshal(text, &n)
	return n, err //nolint:wrapcheck // it says what it was doing
}

// PutWhatsAppNote implements catalog.WhatsAppNotes.
func (r *Registry) PutWhatsAppNote(ctx context.Context, account, accountRef string, n catalog.WhatsAppNote) error {
	owner, err := r.AccountID(ctx, account)
	if err != nil {
		return err
	}
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("put WhatsApp note: %w", err)
	}
	return r.db.Write(ctx, func(t Tx) error {
		t.Only(owner)
		if _, err := t.Exec(putWhatsAppNote, owner, accountRef, strings.ToLower(n.Name), n.Language, string(text)); err != nil {
			return fmt.Errorf("put WhatsApp note: %w", err)
		}
		return nil
	})
}
