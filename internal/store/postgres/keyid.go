package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/registry"
)

// BindKeys remembers current, the id of the root key that new data is written
// under, and, the first time, index, that of the one that recipients are
// indexed with, which is for good. Both are among known. With nothing changed it
// returns registry.ErrOtherKey if the current one that is remembered is not among
// known, and ErrIndexOrder if the index's is, but is not index. If that is not
// known any more it returns ErrIndexKey, and the database may be used all the
// same.
func (s *Store) BindKeys(ctx context.Context, current, index otp.KeyID, known []otp.KeyID) error {
	var lost bool
	err := s.write(ctx, func(t *tx) error {
		// Of nodes that start at once on a database that has neither, one is first:
		// the others wait here for what it says.
		const first = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
		t.put(first, registry.KeyMeta, int64(current))
		t.put(first, registry.IndexMeta, int64(index))
		const stored = "SELECT (SELECT value FROM meta WHERE name = $1 FOR UPDATE), (SELECT value FROM meta WHERE name = $2 FOR UPDATE)"
		var key, indexed int64
		if err := t.row(stored, registry.KeyMeta, registry.IndexMeta).Scan(&key, &indexed); err != nil {
			return fmt.Errorf("read the root keys' ids: %w", err)
		}
		if !slices.Contains(known, otp.KeyID(key)) { //nolint:gosec // written from a KeyID
			return registry.ErrOtherKey
		}
		err := registry.SameIndex(otp.KeyID(indexed), index, known) //nolint:gosec // as above
		if lost = errors.Is(err, registry.ErrIndexKey); err != nil && !lost {
			return err
		}
		if key != int64(current) {
			t.put("UPDATE meta SET value = $2 WHERE name = $1", registry.KeyMeta, int64(current))
		}
		return nil
	})
	if err == nil && lost {
		return registry.ErrIndexKey
	}
	return err
}
