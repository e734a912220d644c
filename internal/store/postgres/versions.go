package postgres

import (
	"context"
	"sync"
	"time"
)

// versionAge is how long a version number is trusted before it is read anew:
// another node, or a command, may have raised it.
const versionAge = 250 * time.Millisecond

// accessKey stands for the version of accounts and keys beside the accounts'
// own numbers, which start at 1.
const accessKey int64 = 0

// versionCache holds the numbers that changes raise: of each account's catalog
// and, under accessKey, of accounts and keys.
type versionCache struct {
	mu      sync.Mutex // guards entries and changes
	entries map[int64]versionEntry
	changes int64 // raised by every change in this process
}

type versionEntry struct {
	value int64
	read  time.Time
	asked bool // a caller reads it anew
}

// version returns the number under key, at most versionAge old and never older
// than a change that this process has committed. While one caller reads it anew
// the others go on with what is known, for one versionAge more: a crowd of them
// would all ask the same.
func (s *Store) version(ctx context.Context, key int64) (int64, error) {
	now := time.Now() //nolint:forbidigo // monotonic: only for the age of the copy
	c := &s.versions
	c.mu.Lock()
	e, known := c.entries[key]
	changes := c.changes
	age := now.Sub(e.read)
	if known && (age < versionAge || e.asked && age < 2*versionAge) {
		c.mu.Unlock()
		return e.value, nil
	}
	if known {
		e.asked = true
		c.entries[key] = e
	}
	c.mu.Unlock()
	query, arg := "SELECT catalog_version FROM accounts WHERE id = $1", any(key)
	switch key {
	case accessKey:
		query, arg = "SELECT value FROM versions WHERE name = $1", "access"
	case quarantineKey:
		query, arg = readQuarantine, quarantineName
	}
	value, ok, err := first(s.pooled(ctx), scanInt, query, arg)
	if err == nil && !ok {
		err = errNotSetUp
	}
	if err != nil {
		return 0, readError("read version", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes { // else what was read may be older than the change
		if c.entries == nil {
			c.entries = map[int64]versionEntry{}
		}
		c.entries[key] = versionEntry{value: value, read: now}
	}
	return value, nil
}

// changed makes the next version read the database. Call it after a change was
// committed and before it is acknowledged.
func (s *Store) changed(key int64) {
	c := &s.versions
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, key)
}

// raise raises the number under key inside the transaction of the change.
func (t *tx) raise(key int64) {
	query, arg := "UPDATE accounts SET catalog_version = catalog_version + 1 WHERE id = $1", any(key)
	if key == accessKey {
		query, arg = "UPDATE versions SET value = value + 1 WHERE name = $1", "access"
	}
	t.put(query, arg)
}
