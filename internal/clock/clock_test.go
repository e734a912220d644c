package clock_test

import (
	"sync"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/clock"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// wall is a wall clock without a monotonic part that tests set.
type wall struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) Set(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
}

func TestTimeFollowsTheWallForward(t *testing.T) {
	t.Parallel()
	w := &wall{now: start}
	c := clock.New(w.Now, time.Time{})
	for _, at := range []time.Time{start, start.Add(time.Microsecond), start.Add(time.Second), start.Add(time.Hour)} {
		w.Set(at)
		if got := c.Now(); !got.Equal(at) {
			t.Errorf("Now() with the wall at %v = %v", at, got)
		}
	}
	if ahead := c.Ahead(); ahead != 0 {
		t.Errorf("Ahead() = %v though the wall was never set back", ahead)
	}
}

func TestAStepBackStopsNoTimeAndRevivesNone(t *testing.T) {
	t.Parallel()
	w := &wall{now: start}
	c := clock.New(w.Now, time.Time{})
	w.Set(start.Add(time.Minute))
	c.Now()
	w.Set(start.Add(-time.Hour))
	if got, want := c.Now(), start.Add(time.Minute); !got.Equal(want) {
		t.Errorf("Now() after a step back = %v, want %v", got, want)
	}
	if got, want := c.Ahead(), time.Hour+time.Minute; got != want {
		t.Errorf("Ahead() = %v, want %v", got, want)
	}
	w.Set(start.Add(-time.Hour).Add(10 * time.Second))
	if got, want := c.Now(), start.Add(time.Minute+10*time.Second); !got.Equal(want) {
		t.Errorf("Now() 10 s after the step back = %v, want %v", got, want)
	}
	w.Set(start.Add(2 * time.Hour))
	if got, want := c.Now(), start.Add(3*time.Hour+time.Minute); got.After(want) || got.Before(start.Add(2*time.Hour)) {
		t.Errorf("Now() after the wall is right again = %v, want the wall's time or up to %v", got, want)
	}
}

func TestMonotonicTimeGoesOnThoughTheWallStepsBack(t *testing.T) {
	t.Parallel()
	now, back := time.Now(), time.Duration(0) // now keeps its monotonic part through Add
	c := clock.New(func() time.Time { return setBack(t, now, back) }, time.Time{})
	first := c.Now()
	for i, step := range []time.Duration{0, time.Hour, 0, 24 * time.Hour, 0} {
		back += step
		now = now.Add(90 * time.Second)
		if got, want := c.Now(), first.Add(time.Duration(i+1)*90*time.Second); !got.Equal(want) {
			t.Errorf("%d × 90 s after the start, with the wall set back by %v, Now() = %v, want %v", i+1, back, got, want)
		}
	}
	if got := c.Ahead(); got < back-time.Microsecond || got > back {
		t.Errorf("Ahead() = %v, want the %v that the wall was set back", got, back)
	}
}

// setBack returns a reading of the clock as the operating system gives it
// after its wall was set back by d, in whole seconds: the monotonic part stays.
// No function of package time makes such a reading, so its first word is
// changed, where the wall's seconds stand above 30 bits of nanoseconds.
func setBack(t *testing.T, now time.Time, d time.Duration) time.Time {
	t.Helper()
	was := now
	*(*uint64)(unsafe.Pointer(&now)) -= uint64(d/time.Second) << 30
	if now.Sub(was) != 0 || !now.Round(0).Equal(was.Round(0).Add(-d)) {
		t.Fatalf("package time keeps its readings differently now: %v became %v", was, now)
	}
	return now
}

func TestNoTimeIsToldBeforeTheFloor(t *testing.T) {
	t.Parallel()
	w := &wall{now: start}
	floor := start.Add(time.Hour)
	c := clock.New(w.Now, floor)
	if got := c.Now(); !got.Equal(floor) {
		t.Errorf("Now() with the wall an hour behind the floor = %v, want the floor %v", got, floor)
	}
	if got := c.Ahead(); got != time.Hour {
		t.Errorf("Ahead() = %v, want an hour", got)
	}
	w.Set(start.Add(time.Second))
	if got, want := c.Now(), floor.Add(time.Second); !got.Equal(want) {
		t.Errorf("a second later Now() = %v, want %v: time goes on from the floor", got, want)
	}
	early := clock.New(w.Now, start.Add(-time.Hour))
	if got := early.Now(); !got.Equal(start.Add(time.Second)) {
		t.Errorf("Now() with an old floor = %v, want the wall's time", got)
	}
}

func TestTimeIsUTCInWholeMicroseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("UTC+5", 5*3600)
	w := &wall{now: start.Add(1_999).In(zone)}
	c := clock.New(w.Now, start.Add(-time.Hour).In(zone))
	if got, want := c.Now(), start.Add(1_000); got != want {
		t.Errorf("Now() = %v, want %v in UTC without a monotonic part", got, want)
	}
	// What is cut off is not lost.
	for i := 1; i <= 10; i++ {
		w.Set(start.Add(time.Duration(1_999 + 300*i)))
		if got, want := c.Now(), start.Add(time.Duration(1_999+300*i)).Truncate(time.Microsecond); !got.Equal(want) {
			t.Errorf("Now() = %v, want %v", got, want)
		}
	}
}

func TestTimeNeverGoesBackWhateverTheWallDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &wall{now: start}
		c := clock.New(w.Now, start.Add(time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(t, "floor"))))
		last := c.Now()
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			step := time.Duration(rapid.Int64Range(-1e13, 1e13).Draw(t, "step"))
			w.Set(w.Now().Add(step))
			got := c.Now()
			if got.Before(last) {
				t.Fatalf("after a step of %v the time went from %v back to %v", step, last, got)
			}
			if got.Before(w.Now().Truncate(time.Microsecond)) {
				t.Fatalf("the time %v is behind the wall %v", got, w.Now())
			}
			if step > 0 && got.Sub(last) < step-time.Microsecond && got.Before(w.Now().Truncate(time.Microsecond)) {
				t.Fatalf("the time went on by %v while %v passed", got.Sub(last), step)
			}
			last = got
		}
	})
}

func TestManyReadersSeeOneTime(t *testing.T) {
	t.Parallel()
	w := &wall{now: start}
	c := clock.New(w.Now, time.Time{})
	stop := make(chan struct{})
	var turner, readers sync.WaitGroup
	turner.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.Set(start.Add(time.Duration(i%7-3) * time.Second)) // to and fro
			}
		}
	})
	for range 8 {
		readers.Go(func() {
			last := c.Now()
			for range 5_000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("the time went from %v back to %v", last, now)
					return
				}
				last = now
			}
		})
	}
	readers.Wait()
	close(stop)
	turner.Wait()
}
