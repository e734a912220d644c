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
	"github.com/countersign/countersign/internal/store/column"
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
	id := sent(t, s)
	slowSends(t, url, 5*time.Millisecond)
	const enough = 300
	var accepted, refused atomic.Int64
	var callers sync.WaitGroup
	start := time.Now()
	goesOn := func() bool {
		return time.Since(start) < 2*time.Second || (accepted.Load() < enough || refused.Load() == 0) && time.Since(start) < patience
	}
	for range 400 { // five times what it does in half a second
		callers.Go(func() {
			for goesOn() {
				_, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Minute))
				switch {
				case err == nil:
					accepted.Add(1)
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
		for goesOn() { // checks pass all the while
			if c, err := s.CountAttempt(t.Context(), guess(id, wrongCode)); err != nil || c.Verdict == otp.Right {
				t.Errorf("check beside sends that wait = %v, %v", c.Verdict, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	callers.Wait()
	if refused.Load() == 0 || accepted.Load() < enough {
		t.Errorf("%d sends accepted and %d refused; want what the database can do, and refusals (D-08)", accepted.Load(), refused.Load())
	}
}

func TestAGroupThatWaitsForARowKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := made(t, url+patient)
	held, other := sent(t, s), sent(t, s)
	conn := raw(t, url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM otps WHERE id = $1 FOR UPDATE", column.EncodeID(held)); err != nil {
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
