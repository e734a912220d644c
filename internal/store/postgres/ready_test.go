package postgres_test

import (
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

func TestAServerIsUnreadyWhoseSchemaIsNotItsVersions(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).URL()
	s := made(t, url)
	for _, c := range []struct {
		change string
		want   error
	}{
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)", postgres.ErrNewer},
		{"UPDATE meta SET value = 9999 WHERE name = 'schema_that_says_so'", nil}, // the newer one lets it run
		{"UPDATE meta SET value = 9999 WHERE name = 'oldest_schema_that_may_run'", postgres.ErrNewer},
		{"DELETE FROM goose_db_version WHERE version_id > 1", postgres.ErrOlder},
	} {
		pgtest.Exec(t, url, c.change)
		if err := s.Ping(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("after %q: %v; want %v", c.change, err, c.want)
		}
	}
}
