package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/otp"
)

// ErrOtherKey means that the database was written under a root key that is not
// given: what it holds could not be read.
var ErrOtherKey = errors.New("the database belongs to another root key")

const keyMeta = "root_key_id"

// BindKeys remembers current, the id of the root key that new data is written
// under. It returns ErrOtherKey, with nothing changed, if the one remembered
// is not among known.
func (s *Store) BindKeys(ctx context.Context, current otp.KeyID, known []otp.KeyID) error {
	return s.write(ctx, func(t *tx) error {
		var stored int64
		err := t.row("SELECT value FROM meta WHERE name = ?", keyMeta).Scan(&stored)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("read the root key's id: %w", err)
		case !slices.Contains(known, otp.KeyID(stored)): //nolint:gosec // written from a KeyID
			return ErrOtherKey
		case stored == int64(current):
			return nil
		}
		_, err = t.exec(`INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, keyMeta, int64(current))
		if err != nil {
			return fmt.Errorf("write the root key's id: %w", err)
		}
		return nil
	})
}
