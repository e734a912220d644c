package registry

import (
	"errors"
	"slices"

	"github.com/countersign/countersign/internal/otp"
)

// Errors of binding a database to its root keys.
var (
	// ErrOtherKey means that the database was written under a root key that is
	// not given: what it holds could not be read.
	ErrOtherKey = errors.New("the database belongs to another root key")
	// ErrIndexKey means that the root key that recipients are indexed with is not
	// given: limits begin anew, and erasure finds nothing from before.
	ErrIndexKey = errors.New("recipients are indexed with a root key that is not listed")
	// ErrIndexOrder means that it is given, but that another would index.
	ErrIndexOrder = errors.New("recipients are indexed with another of the root keys that are listed")
)

// What meta keeps of root keys, by their ids.
const (
	KeyMeta   = "root_key_id"  // what new data is written under
	IndexMeta = "index_key_id" // what recipients are indexed with, for good
)

// SameIndex returns ErrIndexOrder or ErrIndexKey for an index key other than the
// one that is stored.
func SameIndex(stored, index otp.KeyID, known []otp.KeyID) error {
	switch {
	case stored == index:
		return nil
	case slices.Contains(known, stored):
		return ErrIndexOrder
	}
	return ErrIndexKey
}
