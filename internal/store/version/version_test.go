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
	waits atomic.Int64 // nanoseconds until a connection is free
	takes atomic.Int64 // nanoseconds from then on
	reads atomic.Int64
	fails atomic.Bool
}

func (d *database) time() time.Duration { return time.Duration(d.takes.Load()) }

var errGone = errors.New("gone")

func (d *database) read(ctx context.Context, _ int64, asks func()) (int64, error) {
	time.Sleep(time.Duration(d.waits.Load()))
	d.reads.Add(1)
	asks()
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
		c := version.New(version.Config{Read: d.read, Fresh: fresh, Stale: stale, Now: time.Now, Go: func(f func()) bool {
			beside.Go(f)
			return true
		}})
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
		d.takes.Store(int64(2 * fresh))
		var slow sync.WaitGroup
		slow.Go(func() { get(t, c, 0, 2*fresh) })
		// Until it is as old as a copy may be that is trusted, its number is as good
		// to whoever comes: only then the database is asked once more.
		time.Sleep(fresh)
		d.value.Store(1)
		d.takes.Store(int64(time.Millisecond))
		get(t, c, 1, d.time())
		slow.Wait()
		get(t, c, 1, 0)
	})
}

// All begin at once, as when a node is started under load, or after a cut.
func TestManyWithoutACopyShareOneReading(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(3 * stale))
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { get(t, c, 0, d.time()) })
			time.Sleep(fresh / 200)
		}
		all.Wait()
		if n := d.reads.Load(); n != 1 {
			t.Errorf("the number was read %d times, want once", n)
		}
	})
}

// Where every copy is too old when it comes, the readings must not grow with the
// callers: they would keep the database, or the way to it, as slow as it is.
func TestADatabaseThatIsTooSlowForCopiesIsNotAskedByEveryCaller(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		const lasts = 10 * time.Second
		d.takes.Store(int64(2 * stale))
		var all sync.WaitGroup
		for begun := time.Now(); time.Since(begun) < lasts; time.Sleep(fresh / 20) {
			all.Go(func() { get(t, c, 0, d.time()) })
		}
		all.Wait()
		if n := d.reads.Load(); n > int64(lasts/fresh)+1 {
			t.Errorf("in %v the number was read %d times, want at most every %v", lasts, n, fresh)
		}
	})
}

// What waits for a connection has not asked the database yet: its number is new
// to all who came meanwhile, and stays so for a while after.
func TestAReadingIsAsOldAsItsQuestion(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.waits.Store(int64(3 * stale))
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() { get(t, c, 1, 3*stale+d.time()) })
			time.Sleep(stale/10 - 1)
		}
		d.value.Store(1)
		all.Wait()
		get(t, c, 1, 0)
		if n := d.reads.Load(); n != 1 {
			t.Errorf("the number was read %d times, want once", n)
		}
	})
}

func TestAnOwnChangeBeforeTheQuestionIsInTheAnswer(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.waits.Store(int64(fresh))
		var first sync.WaitGroup
		first.Go(func() { get(t, c, 1, fresh+d.time()) })
		time.Sleep(fresh / 2)
		d.value.Store(1)
		c.Changed(key)
		get(t, c, 1, fresh/2+d.time())
		first.Wait()
		get(t, c, 1, 0)
		if n := d.reads.Load(); n != 1 {
			t.Errorf("the number was read %d times, want once", n)
		}
	})
}

func TestAnOwnChangeIsSeenThoughOthersWaitForAnOlderReading(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(fresh / 2))
		var older sync.WaitGroup
		older.Go(func() { get(t, c, 0, d.time()) })
		time.Sleep(time.Millisecond)
		d.value.Store(1)
		c.Changed(key)
		get(t, c, 1, d.time())
		older.Wait()
		get(t, c, 1, 0)
	})
}

// Whoever hangs on a connection that is dead does not hold up those who come
// later.
func TestAReadingThatHangsIsJoinedNoMore(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(time.Hour))
		var hangs sync.WaitGroup
		hangs.Go(func() {
			if got, err := c.Get(t.Context(), key); err == nil {
				t.Errorf("Get from a database that does not answer = %d, want an error", got)
			}
		})
		time.Sleep(fresh)
		d.takes.Store(int64(time.Millisecond))
		get(t, c, 0, d.time())
		hangs.Wait()
		get(t, c, 0, d.time())
	})
}

func TestWhoWaitsForAReadingLeavesWithoutIt(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.takes.Store(int64(fresh / 2))
		why := errors.New("gone home")
		ctx, leave := context.WithCancelCause(t.Context())
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := c.Get(ctx, key); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
				t.Errorf("Get whose caller leaves = %v, want %v and its cause", err, context.Canceled)
			}
		})
		synctest.Wait()
		var other sync.WaitGroup
		other.Go(func() { get(t, c, 0, d.time()) })
		synctest.Wait()
		leave(why)
		first.Wait()
		other.Wait()
		if n := d.reads.Load(); n != 1 {
			t.Errorf("the number was read %d times, want once", n)
		}
	})
}

func TestAFailureIsToldToAllWhoWaitedAndToNobodyElse(t *testing.T) {
	t.Parallel()
	in(t, func(t *testing.T, c *version.Cache, d *database) {
		d.fails.Store(true)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := c.Get(t.Context(), key); !errors.Is(err, errGone) {
					t.Errorf("Get from a database that is gone = %v, want %v", err, errGone)
				}
			})
		}
		all.Wait()
		if n := d.reads.Load(); n != 1 {
			t.Errorf("the number was read %d times, want once", n)
		}
		d.fails.Store(false)
		get(t, c, 0, d.time())
	})
}

// A store that closes runs nothing beside any more, and its last callers are
// answered.
func TestWhatIsNotRunBesideIsReadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d database
		d.value.Store(1)
		c := version.New(version.Config{Read: d.read, Fresh: fresh, Stale: stale, Now: time.Now, Go: func(func()) bool { return false }})
		get(t, c, 1, 0)
	})
}
