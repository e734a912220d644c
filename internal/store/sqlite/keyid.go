package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/registry"
)

// selectKeyIDs reads the ids that BindKeys keeps, where both are there.
const selectKeyIDs = "SELECT k.value, i.value FROM meta k, meta i WHERE k.name = ? AND i.name = ?"

// BindKeys remembers current, the id of the root key that new data is written
// under, and, the first time, index, that of the one that recipients are
// indexed with, which is for good. Both are among known. With nothing changed it
// returns registry.ErrOtherKey if the current one that is remembered is not among
// known, and ErrIndexOrder if the index's is, but is not index. If that is not
// known any more it returns ErrIndexKey, and the database may be used all the
// same.
func (s *Store) BindKeys(ctx context.Context, current, index otp.KeyID, known []otp.KeyID) error {
	// Most who open it find it so, and wait for nobody who writes.
	var key, stored int64
	err := s.read.QueryRowContext(ctx, selectKeyIDs, registry.KeyMeta, registry.IndexMeta).Scan(&key, &stored)
	if err == nil && otp.KeyID(key) == current && otp.KeyID(stored) == index { //nolint:gosec // written from KeyIDs
		return nil
	}
	var lost bool
	err = s.write(ctx, func(t *tx) error {
		lost = false
		indexed := index
		ids := map[string]otp.KeyID{}
		for _, name := range []string{registry.KeyMeta, registry.IndexMeta} {
			var id int64
			err := t.row("SELECT value FROM meta WHERE name = ?", name).Scan(&id)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("read a root key's id: %w", err)
			}
			if err == nil {
				ids[name] = otp.KeyID(id) //nolint:gosec // written from a KeyID
			}
		}
		if stored, has := ids[registry.KeyMeta]; has && !slices.Contains(known, stored) {
			return registry.ErrOtherKey
		}
		if stored, has := ids[registry.IndexMeta]; has {
			switch err := registry.SameIndex(stored, index, known); {
			case errors.Is(err, registry.ErrIndexKey):
				lost, indexed = true, stored
			case err != nil:
				return err
			}
		}
		for name, id := range map[string]otp.KeyID{registry.KeyMeta: current, registry.IndexMeta: indexed} {
			if stored, has := ids[name]; has && stored == id {
				continue
			}
			_, err := t.exec(`INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, int64(id))
			if err != nil {
				return fmt.Errorf("write a root key's id: %w", err)
			}
		}
		return nil
	})
	if err == nil && lost {
		return registry.ErrIndexKey
	}
	return err
}

// CheckIndexKey returns what BindKeys would say of a database file whose
// recipients are indexed with another root key than index. It writes nothing,
// and leaves to whoever opens the file what else may be wrong with it, such as
// that it is no database or belongs to another root key.
func CheckIndexKey(ctx context.Context, path string, index otp.KeyID, known []otp.KeyID) error {
	db, err := sql.Open("sqlite", dsn(path)+"&mode=ro")
	if err != nil {
		return nil
	}
	defer db.Close()
	var key, stored int64
	err = db.QueryRowContext(ctx, selectKeyIDs, registry.KeyMeta, registry.IndexMeta).Scan(&key, &stored)
	if err != nil || !slices.Contains(known, otp.KeyID(key)) { //nolint:gosec // written from a KeyID
		return nil
	}
	return registry.SameIndex(otp.KeyID(stored), index, known) //nolint:gosec // as above
}
