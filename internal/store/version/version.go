// Package version keeps copies of the numbers that changes in a database
// raise, so that nearly no request waits for the database to learn that
// nothing has changed. Each number has a key of the store's choosing. Where the
// numbers are kept is left to the store.
//
// A caller gets what the database said at most Stale before it asked, and after
// every change that this process told of before. What is read for one caller is
// for all who ask meanwhile: were each to read for itself while the database or
// the way to it is slow, the readings alone would keep it so.
package version

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// readTime bounds a reading, which goes on when all who wait for it have left.
const readTime = 10 * time.Second

// Config is how old copies may become, and how they are made.
type Config struct {
	// Read reads the number under key from the database. It calls asks when it has
	// all that it has to wait for first, such as a connection, and before it asks:
	// the number is as old as that.
	Read func(ctx context.Context, key int64, asks func()) (int64, error)
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
	// Go runs what reads beside and reports true, or false if it does not run it.
	// Whoever made the cache waits for that before the database is closed.
	Go func(func()) bool
}

var errSlow = errors.New("the reading of a version took too long")

// Cache holds copies of numbers. It is safe for concurrent use.
type Cache struct {
	config Config

	mu       sync.Mutex // guards what follows, and of each reading what is not done
	entries  map[int64]entry
	readings map[int64]*reading // under way, of each key the one that began last
	changes  int64              // raised by every change in this process
}

type entry struct {
	value int64
	read  time.Time // when the database was asked
}

// reading is one that callers wait for.
type reading struct {
	asked   time.Time     // zero until the database is
	changes int64         // that were known then
	done    chan struct{} // closed once what follows is set
	value   int64
	err     error
}

// New returns an empty cache.
func New(c Config) *Cache {
	return &Cache{config: c, entries: map[int64]entry{}, readings: map[int64]*reading{}}
}

// Get returns the number under key, never older than what this process has
// said with Changed. It waits for the database only where there is no copy, or
// one that nobody has asked for in a while. An error of the database is that of
// all who waited for the reading; the next to come begins another. Where ctx ends
// first, the error is its error and its cause.
func (c *Cache) Get(ctx context.Context, key int64) (int64, error) {
	c.mu.Lock()
	now := c.config.Now()
	e, known := c.entries[key]
	age := now.Sub(e.read)
	if known && age < c.config.Fresh {
		c.mu.Unlock()
		return e.value, nil
	}
	r := c.readings[key]
	usable := known && (age < 2*c.config.Fresh || r != nil && age < c.config.Stale)
	// A reading is as good as the copy that it brings. One that is fresh no more may
	// also hang on a connection that is dead.
	begins := r == nil || !usable && !r.asked.IsZero() && now.Sub(r.asked) >= c.config.Fresh
	if begins {
		r = &reading{done: make(chan struct{})}
		c.readings[key] = r
	}
	c.mu.Unlock()
	if begins {
		// What is read is for others too: it does not end with who came first.
		detached := context.WithoutCancel(ctx)
		read := func() { c.read(detached, key, r) }
		if !c.config.Go(read) {
			read()
		}
	}
	if usable {
		return e.value, nil // the next who asks tries again, and is told of an error
	}
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return 0, fmt.Errorf("wait for a version: %w: %w", ctx.Err(), context.Cause(ctx))
	}
}

// read does a reading. What was read is not kept after a change meanwhile, which
// it may be older than.
func (c *Cache) read(ctx context.Context, key int64, r *reading) {
	ctx, cancel := context.WithTimeoutCause(ctx, readTime, errSlow)
	defer cancel()
	defer close(r.done)
	value, err := c.config.Read(ctx, key, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		r.asked, r.changes = c.config.Now(), c.changes
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	r.value, r.err = value, err
	if c.readings[key] == r {
		delete(c.readings, key)
	}
	e := c.entries[key]
	if err == nil && r.changes == c.changes && !r.asked.Before(e.read) { // a slow one may be older than what is known
		c.entries[key] = entry{value: value, read: r.asked}
	}
}

// Changed makes the next Get of key read the database. Call it after a change
// was committed and before it is acknowledged.
func (c *Cache) Changed(key int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	delete(c.entries, key)
	// What the database was asked for before may lack the change.
	if r := c.readings[key]; r != nil && !r.asked.IsZero() {
		delete(c.readings, key)
	}
}
