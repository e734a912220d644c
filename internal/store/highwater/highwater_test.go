package highwater_test

import (
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/highwater"
)

func TestAMarkIsNeededUntilItIsPastTheLastExpiry(t *testing.T) {
	t.Parallel()
	m := highwater.New()
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var callers sync.WaitGroup
	for i := range 50 {
		callers.Go(func() { m.Expects(begun.Add(time.Duration(i) * time.Second)) })
	}
	callers.Wait()
	last := begun.Add(49 * time.Second)
	for _, c := range []struct {
		stored time.Time
		want   bool
	}{{begun, true}, {last, true}, {last.Add(time.Microsecond), false}} {
		if m.Stored(c.stored.UnixMicro()); m.Needed() != c.want {
			t.Errorf("needed at %v = %v, want %v", c.stored, !c.want, c.want)
		}
	}
	m.Expects(begun)
	if m.Needed() {
		t.Error("an earlier expiry makes it needed again")
	}
}
