package postgres_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/verify"
)

// slowSends makes every OTP that is written take a while.
func slowSends(t testing.TB, url string, each time.Duration) {
	t.Helper()
	pgtest.Exec(t, url, `CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(`+
		strconv.FormatFloat(each.Seconds(), 'f', -1, 64)+`); RETURN NEW; END $$;
		CREATE TRIGGER slowly BEFORE INSERT ON otps FOR EACH ROW EXECUTE FUNCTION slowly()`)
}

func TestASlowDatabaseGetsNoMoreSendsThanItDoesSoon(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := made(t, url)
	id := sent(t, s, time.Hour)
	slowSends(t, url, 5*time.Millisecond)
	var mu sync.Mutex // guards slowest
	var slowest time.Duration
	var accepted, refused atomic.Int64
	var callers sync.WaitGroup
	end := time.Now().Add(4 * time.Second)
	settled := end.Add(-3 * time.Second) // the pace is found by then
	for range 400 {                      // five times what it does in half a second
		callers.Go(func() {
			for time.Now().Before(end) {
				begun := time.Now()
				_, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Minute))
				switch {
				case err == nil && begun.After(settled):
					accepted.Add(1)
					mu.Lock()
					slowest = max(slowest, time.Since(begun))
					mu.Unlock()
				case errors.Is(err, verify.ErrOverloaded):
					refused.Add(1)
					time.Sleep(50 * time.Millisecond)
				case err != nil:
					t.Errorf("send = %v", err)
					return
				}
			}
		})
	}
	callers.Go(func() {
		for time.Now().Before(end) { // checks are quick all the while
			if c, err := s.CountAttempt(t.Context(), guess(id, wrongCode)); err != nil || c.Verdict == otp.Right {
				t.Errorf("check beside sends that wait = %v, %v", c.Verdict, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	callers.Wait()
	t.Logf("%d sends accepted, the slowest in %v; %d refused", accepted.Load(), slowest, refused.Load())
	if refused.Load() == 0 || accepted.Load() < 300 {
		t.Errorf("%d sends accepted and %d refused; want what the database can do, and refusals", accepted.Load(), refused.Load())
	}
	if slowest > 2*time.Second {
		t.Errorf("an accepted send took %v; nothing waits long behind others (D-08)", slowest)
	}
}
