package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/otp"
)

// Errors of binding a database to its root keys.
var (
	// ErrOtherKey means that the database was written under a root key that is
	// not given: what it holds could not be read.
	ErrOtherKey = errors.New("the database belongs to another root key")
	// ErrIndexKey means that the root key that recipients are indexed with is not
	// given: limits would begin anew, and erasure would find nothing.
	ErrIndexKey = errors.New("recipients are indexed with a root key that is not listed")
	// ErrIndexOrder means that it is given, but that another would index.
	ErrIndexOrder = errors.New("recipients are indexed with another of the root keys that are listed")
)

// What meta keeps of root keys.
const (
	keyMeta   = "root_key_id"
	indexMeta = "index_key_id"
)

// BindKeys remembers current, the id of the root key that new data is written
// under, and, the first time, index, that of the one that recipients are
// indexed with, which is for good. Both are among known. With nothing changed it
// returns ErrOtherKey if the current one that is remembered is not among known,
// and ErrIndexOrder if the index's is, but is not index. If that is not known any
// more it returns ErrIndexKey, and the database may be used all the same.
func (s *Store) BindKeys(ctx context.Context, current, index otp.KeyID, known []otp.KeyID) error {
	var lost bool
	err := s.write(ctx, func(t *tx) error {
		// Of nodes that start at once on a database that has neither, one is first:
		// the others wait here for what it says.
		const first = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
		t.put(first, keyMeta, int64(current))
		t.put(first, indexMeta, int64(index))
		const stored = "SELECT (SELECT value FROM meta WHERE name = $1 FOR UPDATE), (SELECT value FROM meta WHERE name = $2 FOR UPDATE)"
		var key, indexed int64
		if err := t.row(stored, keyMeta, indexMeta).Scan(&key, &indexed); err != nil {
			return fmt.Errorf("read the root keys' ids: %w", err)
		}
		switch bound := otp.KeyID(indexed); { //nolint:gosec // written from a KeyID
		case !slices.Contains(known, otp.KeyID(key)): //nolint:gosec // as above
			return ErrOtherKey
		case bound != index && slices.Contains(known, bound):
			return ErrIndexOrder
		default:
			lost = bound != index
		}
		if key != int64(current) {
			t.put("UPDATE meta SET value = $2 WHERE name = $1", keyMeta, int64(current))
		}
		return nil
	})
	if err == nil && lost {
		return ErrIndexKey
	}
	return err
}
