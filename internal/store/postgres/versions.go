package postgres

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/version"
)

// Ages of copies of version numbers: up to versionFresh one is trusted, though
// another process, such as another node, may have raised the number; up to
// versionStale it is used while the number is read anew. A revoked key is
// refused within a second (K-03).
const (
	versionFresh = 250 * time.Millisecond
	versionStale = 750 * time.Millisecond
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
	value, err := s.versions.Get(ctx, key)
	if err != nil {
		return 0, readError("read version", err)
	}
	return value, nil
}

func (s *Store) readVersion(ctx context.Context, key int64, asks func()) (int64, error) {
	query, arg := "SELECT catalog_version FROM accounts WHERE id = $1", any(key)
	switch key {
	case registry.AccessKey:
		query, arg = "SELECT value FROM versions WHERE name = $1", "access"
	case registry.QuarantineKey:
		query, arg = readQuarantine, registry.QuarantineName
	}
	conn, err := acquire(ctx, s.pool)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	asks()
	value, ok, err := registry.First(s.over(ctx, conn, 0), registry.ScanInt, query, arg)
	if err == nil && !ok {
		err = errNotSetUp
	}
	return value, err
}

// changed makes the next version read the database. Call it after a change was
// committed and before it is acknowledged.
func (s *Store) changed(key int64) { s.versions.Changed(key) }

// The numbers rise to the time of the change in microseconds. Counted by one, a
// number that a failover lost would be given again, to another change, and nodes
// that knew the lost one would see none.
const (
	raiseCatalog = `UPDATE accounts SET catalog_version = greatest(catalog_version + 1, ` + serverSQL + `) WHERE id = $1`
	raiseAccess  = `UPDATE versions SET value = greatest(value + 1, ` + serverSQL + `) WHERE name = $1`
)

// raise raises the number under key inside the transaction of the change.
func (t *tx) raise(key int64) {
	if key == registry.AccessKey {
		t.put(raiseAccess, "access")
		return
	}
	t.put(raiseCatalog, key)
}
