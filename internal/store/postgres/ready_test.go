package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
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

// Its connection is in use when the server stops to answer: a read gives it longer
// than whoever asks for readiness waits.
func TestReadinessIsToldInTimeWhereTheServerIsFrozen(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	s := made(t, cluster.URL())
	cluster.Freeze(t)
	defer cluster.Thaw(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	span := stolen.Start(t).Begin()
	if err := s.Ping(ctx); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("Ping of a frozen server = %v, want ErrUnavailable", err)
	}
	if span.Exceeds(5 * time.Second) {
		t.Errorf("Ping with a deadline of 100 ms took %v", span.Own())
	}
}
