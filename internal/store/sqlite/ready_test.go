package sqlite_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/store/sqlite"
)

func TestAServerIsUnreadyWhoseSchemaIsNotItsVersions(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		change string
		want   error
	}{
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)", sqlite.ErrNewer},
		{"UPDATE meta SET value = 9999 WHERE name = 'schema_that_says_so'", nil}, // the newer one lets it run
		{"UPDATE meta SET value = 9999 WHERE name = 'oldest_schema_that_may_run'", sqlite.ErrNewer},
		{"DELETE FROM goose_db_version WHERE version_id > 1", sqlite.ErrOlder},
	} {
		err := b.Write(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(c.change); return err })
		if err != nil {
			t.Fatalf("%s: %v", c.change, err)
		}
		if err := b.Ping(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("after %q: %v; want %v", c.change, err, c.want)
		}
	}
}
