package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/version"
)

// Ages of copies of version numbers: up to versionFresh one is trusted, though
// another process, such as a command, may have raised the number; up to
// versionStale it is used while the number is read anew. A revoked key is
// refused within a second (K-03).
const (
	versionFresh = 50 * time.Millisecond
	versionStale = 500 * time.Millisecond
)

// newVersions returns the copies of the numbers that changes raise: of each
// account's catalog and, under registry.AccessKey, of accounts and keys.
func (s *Store) newVersions() *version.Cache {
	return version.New(version.Config{
		Read: s.readVersion, Fresh: versionFresh, Stale: versionStale, Go: s.background.Go,
		Now: time.Now, //nolint:forbidigo // only for the age of copies
	})
}

// version returns the number under key, not much older than versionFresh and
// never older than a change that this process has committed.
func (s *Store) version(ctx context.Context, key int64) (int64, error) {
	return s.versions.Get(ctx, key)
}

func (s *Store) readVersion(ctx context.Context, key int64, asks func()) (value int64, err error) {
	query, arg := "SELECT catalog_version FROM accounts WHERE id = ?", any(key)
	switch key {
	case registry.AccessKey:
		query, arg = "SELECT value FROM versions WHERE name = ?", "access"
	case registry.QuarantineKey:
		query, arg = readQuarantine, registry.QuarantineName
	}
	asks() // before the wait for a connection: the driver tells nobody when it is over
	if err := s.read.QueryRowContext(ctx, query, arg).Scan(&value); err != nil {
		return 0, fmt.Errorf("read version: %w", err)
	}
	return value, nil
}

// changed makes the next version read the database. Call it after a change was
// committed and before it is acknowledged.
func (s *Store) changed(key int64) { s.versions.Changed(key) }

// raise raises the number under key inside the transaction of the change.
func (t *tx) raise(key int64) error {
	query, arg := "UPDATE accounts SET catalog_version = catalog_version + 1 WHERE id = ?", any(key)
	if key == registry.AccessKey {
		query, arg = "UPDATE versions SET value = value + 1 WHERE name = ?", "access"
	}
	if _, err := t.exec(query, arg); err != nil {
		return fmt.Errorf("raise version: %w", err)
	}
	return nil
}
