// Package version keeps copies of the numbers that changes in a database
// raise, so that nearly no request waits for the database to learn that
// nothing has changed. Each number has a key of the store's choosing. Where the
// numbers are kept is left to the store.
package version

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Config is how old copies may become, and how they are made.
type Config struct {
	// Read reads the number under a key from the database.
	Read func(ctx context.Context, key int64) (int64, error)
	// Fresh is the age up to which a copy is trusted: another process may have
	// raised the number. Up to twice that age a copy is still returned while it
	// is read anew beside.
	Fresh time.Duration
	// Stale is the age up to which it is returned while that reading takes:
	// older than Fresh by more than the database takes where it has much to do,
	// and within the time that everyone must know of a change.
	Stale time.Duration
	// Now is time.Now in production; only the age of copies depends on it.
	Now func() time.Time
	// Go runs what reads beside. Whoever made the cache waits for that before
	// the database is closed.
	Go func(func())
}

var errStale = errors.New("nobody waits for this any more")

// Cache holds copies of numbers. It is safe for concurrent use.
type Cache struct {
	config Config

	mu      sync.Mutex // guards what follows
	entries map[int64]entry
	changes int64 // raised by every change in this process
}

type entry struct {
	value int64
	read  time.Time // when its reading began
	asked bool      // someone reads it anew
}

// New returns an empty cache.
func New(c Config) *Cache { return &Cache{config: c, entries: map[int64]entry{}} }

// Get returns the number under key, never older than what this process has
// said with Changed. It waits for the database only where there is no copy, or
// one that nobody has asked for in a while.
func (c *Cache) Get(ctx context.Context, key int64) (int64, error) {
	c.mu.Lock()
	e, known := c.entries[key]
	changes := c.changes
	begun := c.config.Now()
	age := begun.Sub(e.read)
	beside := known && !e.asked && age >= c.config.Fresh && age < 2*c.config.Fresh
	if beside {
		e.asked = true
		c.entries[key] = e
	}
	c.mu.Unlock()
	switch {
	case beside:
		c.config.Go(func() {
			late, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.config.Stale, errStale)
			defer cancel()
			_, _ = c.renew(late, key, begun, changes) // the next who asks tries again, and is told of an error
		})
		return e.value, nil
	case known && (age < c.config.Fresh || e.asked && age < c.config.Stale):
		return e.value, nil
	}
	return c.renew(ctx, key, begun, changes)
}

// renew reads the number. What was read is not kept after a change meanwhile,
// which it may be older than.
func (c *Cache) renew(ctx context.Context, key int64, begun time.Time, changes int64) (int64, error) {
	value, err := c.config.Read(ctx, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.entries[key]
	switch {
	case err != nil:
		if known {
			e.asked = false
			c.entries[key] = e
		}
		return 0, err
	case c.changes == changes && !begun.Before(e.read): // a slow one may be older than what is known
		c.entries[key] = entry{value: value, read: begun}
	}
	return value, nil
}

// Changed makes the next Get of key read the database. Call it after a change
// was committed and before it is acknowledged.
func (c *Cache) Changed(key int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, key)
}
