package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// What is asked later on would be kept, as that of the new primary.
func TestThePrimaryThatWasReplacedAnswersNothingOnceItsAccountsAreForgotten(t *testing.T) {
	t.Parallel()
	conn := raw(t, pgtest.URL(t))
	calls := 0
	postgres.Succession(conn, func() {
		calls++
		if _, err := conn.Exec(t.Context(), "SELECT 1"); err == nil {
			t.Error("the old primary answered")
		}
	})
	if calls != 1 {
		t.Errorf("%d successions were told of, want 1", calls)
	}
}

func TestAStoreLeavesAPrimaryInWhosePlaceAnotherWasPromoted(t *testing.T) {
	t.Parallel()
	pair := pgtest.StartPair(t)
	url := pair.URL() // the old primary stands first
	s := made(t, url)
	before := sent(t, s)

	pair.Primary.Freeze(t) // its connections stay open
	old := pair.FailOver(t)
	deadline := time.Now().Add(patience)
	after := uuid.NewString()
	for {
		if _, err := s.CreateOTP(t.Context(), newOTP(t, after, time.Hour)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("send after the failover = %v", err)
		}
	}

	old.Thaw(t)
	old.SetSynchronous(t, "") // now it would acknowledge alone
	pair.Gate(pair.Primary).Shut()
	time.Sleep(50 * time.Millisecond) // for connections to break
	if rec, err := s.OTP(t.Context(), ref(after)); err == nil {
		t.Errorf("read without the new primary = %v, want an error: the old one does not know it (V-09)", rec.State)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, uuid.NewString(), time.Hour)); err == nil {
		t.Error("the old primary took a send (D-06)")
	}
	pair.Gate(pair.Primary).Open()

	fresh := open(t, url, nil) // it never saw the failover
	for _, id := range []string{before, after} {
		if _, err := fresh.OTP(t.Context(), ref(id)); err != nil {
			t.Errorf("OTP %s through a store opened after the failover: %v", id, err)
		}
	}
	looked := raw(t, old.URL())
	// One that was begun while the new primary was away may be about to be refused.
	deadline = time.Now().Add(patience)
	for n := 1; n > 0; time.Sleep(time.Millisecond) {
		if n = count(t.Context(), t, looked, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'countersign'"); n > 0 && time.Now().After(deadline) {
			t.Fatalf("%d connections work on the old primary, want none", n)
		}
	}
}
