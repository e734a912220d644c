package version_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/store/version"
)

const (
	fresh = 50 * time.Millisecond
	stale = 500 * time.Millisecond
	key   = 7
)

// database has one number, and takes its time to tell it.
type database struct {
	value atomic.Int64
	takes atomic.Int64 // nanoseconds
	reads atomic.Int64
	fails atomic.Bool
}

func (d *database) time() time.Duration { return time.Duration(d.takes.Load()) }

var errGone = errors.New("gone")

func (d *database) read(ctx context.Context, _ int64) (int64, error) {
	d.reads.Add(1)
	value := d.value.Load() // what is committed while the answer is under way is not in it
	select {
	case <-time.After(d.time()):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if d.fails.Load() {
		return 0, errGone
	}
	return value, nil
}

// in runs story with a cache and waits for what reads beside.
func in(t *testing.T, story func(t *testing.T, c *version.Cache, d *database)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var beside sync.WaitGroup
		var d database
		c := version.New(version.Config{Read: d.read, Fresh: fresh, Stale: stale, Now: time.Now, Go: beside.Go})
		d.takes.Store(int64(time.Millisecond))
		story(t, c, &d)
		beside.Wait()
	})
}

// get wants a number within a time.
func get(t *testing.T, c *version.Cache, want int64, within time.Duration) {
	t.Helper()
	begun := time.Now()
	got, err := c.Get(t.Context(), key)
	if took := time.Since(begun); err != nil || got != want || took > within {
		t.Errorf("Get = %d, %v after %v; want %d within %v", got, err, took, want, within)
	}
}

func TestOnlyTheFirstOfManyWaitsForTheDatabase(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(30 * time.Millisecond))
		get(t, c, 0, d.time())
		for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(2 * time.Millisecond) {
			get(t, c, 0, 0)
		}
		// Each copy is read anew when it is fresh no more, once.
		if n := d.reads.Load(); n < 90 || n > 101 {
			t.Errorf("in 5 s the number was read %d times, want about every %v", n, fresh)
		}
	})
}

func TestAnothersChangeIsSeenSoon(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		get(t, c, 0, d.time())
		d.value.Store(1)
		for begun := time.Now(); ; time.Sleep(time.Millisecond) {
			if got, err := c.Get(t.Context(), key); err != nil {
				t.Fatal(err)
			} else if got == 1 {
				break
			}
			if age := time.Since(begun); age > 2*fresh {
				t.Fatalf("a change is not seen after %v", age)
			}
		}
	})
}

func TestACopyThatNobodyAskedForIsReadBeforeItIsUsed(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		get(t, c, 0, d.time())
		d.value.Store(1)
		time.Sleep(2 * fresh)
		get(t, c, 1, d.time())
	})
}

// With a database that is slow, and with one that fails, a copy has an end.
func TestNoCopyIsOlderThanIsAllowed(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		get(t, c, 0, d.time())
		read := time.Now()
		d.value.Store(1)
		d.takes.Store(int64(time.Hour))
		for ; time.Since(read) < stale-2*time.Millisecond; time.Sleep(time.Millisecond) {
			get(t, c, 0, 0)
		}
		time.Sleep(2 * time.Millisecond)
		d.takes.Store(int64(time.Millisecond))
		get(t, c, 1, d.time())
	})
}

func TestAFailureIsToldOnceTheCopyIsOld(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		get(t, c, 0, d.time())
		d.fails.Store(true)
		time.Sleep(fresh)
		get(t, c, 0, 0) // and this one's reading fails
		time.Sleep(fresh)
		if _, err := c.Get(t.Context(), key); !errors.Is(err, errGone) {
			t.Errorf("Get from a database that is gone = %v, want %v", err, errGone)
		}
		d.fails.Store(false)
		get(t, c, 0, d.time())
	})
}

func TestAnOwnChangeIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{
		"before an older reading ends": 0,
		"after an older reading ended": 20 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in(t, func(t *testing.T, c *version.Cache, d *database) {
				get(t, c, 0, d.time())
				d.takes.Store(int64(10 * time.Millisecond))
				time.Sleep(fresh)
				get(t, c, 0, 0) // reads beside what will be old when it is there
				time.Sleep(time.Millisecond)
				d.value.Store(1)
				c.Changed(key)
				time.Sleep(wait)
				get(t, c, 1, d.time())
				get(t, c, 1, 0)
			})
		})
	}
}

func TestWhoeverLeavesDoesNotStopAReadingForOthers(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		get(t, c, 0, d.time())
		d.value.Store(1)
		time.Sleep(fresh)
		ctx, leave := context.WithCancel(t.Context())
		if _, err := c.Get(ctx, key); err != nil {
			t.Fatal(err)
		}
		leave()
		time.Sleep(d.time() + 1)
		get(t, c, 1, 0)
	})
}

func TestASlowReadingDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(20 * time.Millisecond))
		var slow sync.WaitGroup
		slow.Go(func() { get(t, c, 0, 20*time.Millisecond) })
		time.Sleep(time.Millisecond)
		d.value.Store(1)
		d.takes.Store(int64(time.Millisecond))
		get(t, c, 1, d.time())
		slow.Wait()
		get(t, c, 1, 0)
	})
}
