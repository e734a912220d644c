package sqlite

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
	readWhatsAppNotes = "SELECT note FROM whatsapp_notes WHERE account_id = ? AND ref = ?"
	putWhatsAppNote   = `INSERT INTO whatsapp_notes (account_id, ref, folded, language, note) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, ref, folded, language) DO UPDATE SET note = excluded.note`
)

// WhatsAppNotes implements catalog.WhatsAppNotes.
func (s *Store) WhatsAppNotes(ctx context.Context, account, accountRef string) ([]catalog.WhatsAppNote, error) {
	owner, err := s.accountID(ctx, account)
	if errors.Is(err, ErrNoAccount) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := collect(s.pooled(ctx), scanWhatsAppNote, readWhatsAppNotes, owner, accountRef)
	if err != nil {
		return nil, s.readError("read WhatsApp notes", err)
	}
	return list, nil
}

func scanWhatsAppNote(rows rower) (n catalog.WhatsAppNote, err error) {
	var text []byte
	if err := rows.Scan(&text); err != nil {
		return n, err //nolint:wrapcheck // the caller says what it was doing
	}
	err = json.Unmarshal(text, &n)
	return n, err //nolint:wrapcheck // it says what it was doing
}

// PutWhatsAppNote implements catalog.WhatsAppNotes.
func (s *Store) PutWhatsAppNote(ctx context.Context, account, accountRef string, n catalog.WhatsAppNote) error {
	owner, err := s.accountID(ctx, account)
	if err != nil {
		return err
	}
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("put WhatsApp note: %w", err)
	}
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(putWhatsAppNote, owner, accountRef, strings.ToLower(n.Name), n.Language, string(text)); err != nil {
			return fmt.Errorf("put WhatsApp note: %w", err)
		}
		return nil
	})
}
