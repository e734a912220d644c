package account_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/account"
)

func throttled(id string) account.Key { return account.Key{ID: id, Throttle: true} }

func TestAThrottledKeyHasOneHundredCallsInAnySixtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		throttle := account.NewThrottle(time.Now)
		admit := func(n int) {
			t.Helper()
			for i := range n {
				if wait := throttle.Admit(throttled("k")); wait != 0 {
					t.Fatalf("call %d has to wait %v", i+1, wait)
				}
			}
		}
		admit(60)
		time.Sleep(20 * time.Second)
		admit(40)
		if wait := throttle.Admit(throttled("k")); wait != 40*time.Second {
			t.Errorf("call 101 waits %v, want 40s", wait)
		}
		time.Sleep(40*time.Second - time.Millisecond)
		if wait := throttle.Admit(throttled("k")); wait != time.Millisecond {
			t.Errorf("just before the window has room the wait is %v, want 1ms", wait)
		}
		time.Sleep(time.Millisecond)
		admit(60) // the window slides: the first sixty have left it, the other forty have not
		if wait := throttle.Admit(throttled("k")); wait != 20*time.Second {
			t.Errorf("the next call waits %v, want 20s", wait)
		}
	})
}

func TestKeysDoNotShareTheirThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		throttle := account.NewThrottle(time.Now)
		for i := range 100 {
			for _, id := range []string{"a", "b"} {
				if wait := throttle.Admit(throttled(id)); wait != 0 {
					t.Fatalf("call %d of %s has to wait %v", i+1, id, wait)
				}
			}
		}
		if throttle.Admit(throttled("a")) == 0 {
			t.Error("call 101 is admitted")
		}
		for i := range 1000 {
			if wait := throttle.Admit(account.Key{ID: "free"}); wait != 0 {
				t.Fatalf("call %d of a key without throttle has to wait %v", i+1, wait)
			}
		}
	})
}

func TestAKeyThatRestsForAWhileStartsAfresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		throttle := account.NewThrottle(time.Now)
		for n := range 3 {
			for i := range 100 {
				if wait := throttle.Admit(throttled("k")); wait != 0 {
					t.Fatalf("round %d: call %d has to wait %v", n, i+1, wait)
				}
			}
			throttle.Admit(throttled("other" + strconv.Itoa(n)))
			time.Sleep(time.Minute)
		}
	})
}

func TestParallelCallsAreCountedExactly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	throttle := account.NewThrottle(func() time.Time { return now })
	var admitted atomic.Int64
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if throttle.Admit(throttled("k")) == 0 {
				admitted.Add(1)
			}
		})
	}
	all.Wait()
	if admitted.Load() != 100 {
		t.Errorf("%d calls admitted, want 100", admitted.Load())
	}
}
