package server

import (
	"errors"

	"github.com/countersign/countersign/internal/store/registry"
)

// refuseKeys says what was expected of the root keys where a store refuses them;
// nil if err is something else. name names the database.
func refuseKeys(name string, err error) error {
	const what = "the root key does not fit "
	for _, r := range []refusalOf{
		{registry.ErrOtherKey, expectKey},
		{registry.ErrIndexOrder, expectIndexOrder},
	} {
		if errors.Is(err, r.err) {
			return &RefusalError{what + name, r.expected, err}
		}
	}
	return nil
}

// Indexed refuses what would look recipients up and find none of those before:
// their root key is not listed.
func (d *Deployment) Indexed() error {
	if !d.indexLost {
		return nil
	}
	return &RefusalError{"recipients were indexed with a root key that is not listed: nobody would be found", expectIndexKey, nil}
}

// What a database asks of the list of root keys.
const (
	expectKeyFile    = "32 random bytes in base64 in a file of mode 0600, of root, of the user that this runs as or of its directory's owner"
	expectKey        = "the key that the database was made with, now or in secret_key_previous"
	expectIndexKey   = "the oldest root key as the last of secret_key_previous"
	expectIndexOrder = "secret_key_previous newest first: the oldest root key, with which recipients were indexed first, as the last of the list"
)
