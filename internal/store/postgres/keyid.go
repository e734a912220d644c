package postgres

import (
	"context"
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
		// Of nodes that start at once on an empty database, one is first.
		t.put("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", keyMeta, int64(current))
		var stored int64
		if err := t.row("SELECT value FROM meta WHERE name = $1 FOR UPDATE", keyMeta).Scan(&stored); err != nil {
			return fmt.Errorf("read the root key's id: %w", err)
		}
		if !slices.Contains(known, otp.KeyID(stored)) { //nolint:gosec // written from a KeyID
			return ErrOtherKey
		}
		if stored != int64(current) {
			t.put("UPDATE meta SET value = $2 WHERE name = $1", keyMeta, int64(current))
		}
		return nil
	})
}
