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
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/postgres"
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
	machine := stolen.Start(t)
	start := time.Now()
	settled := start.Add(time.Second) // the pace is found by then
	goesOn := func() bool { return time.Since(start) < min(4*time.Second+machine.Total(), patience) }
	for range 400 { // five times what it does in half a second
		callers.Go(func() {
			for goesOn() {
				begun, span := time.Now(), machine.Begin()
				_, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Minute))
				switch {
				case err == nil && begun.After(settled):
					accepted.Add(1)
					mu.Lock()
					slowest = max(slowest, span.Own())
					mu.Unlock()
				case errors.Is(err, verify.ErrOverloaded):
					refused.Add(1)
					time.Sleep(200 * time.Millisecond)
				case err != nil:
					t.Errorf("send = %v", err)
					return
				}
			}
		})
	}
	callers.Go(func() {
		for goesOn() { // checks are quick all the while
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

func TestAGroupThatWaitsForARowKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := made(t, url)
	held, other := sent(t, s, time.Hour), sent(t, s, time.Hour)
	conn := raw(t, url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM otps WHERE id = $1 FOR UPDATE", postgres.EncodeID(held)); err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 2)
	check := func(id string) error {
		_, err := s.CountAttempt(t.Context(), guess(id, wrongCode))
		return err
	}
	go func() { first <- check(held) }()
	time.Sleep(50 * time.Millisecond) // its group has probably begun; if not, this shows less
	go func() { first <- check(held) }()
	for range 10 {
		if err := check(other); err != nil {
			t.Fatalf("check beside one that waits for a row = %v", err)
		}
	}
	select {
	case err := <-first:
		t.Errorf("the check of a row that is held ended: %v", err)
	default:
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-first; err != nil {
			t.Errorf("the check of a row that was held = %v", err)
		}
	}
}
