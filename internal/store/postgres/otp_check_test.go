package postgres_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// What PostgreSQL knows of how many rows there are decides in which order it reads
// them, and whether it reads all that a statement names.
func TestAGroupOfChecksLocksAllItsOTPsWhateverPostgreSQLKnowsOfItsTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limited bool
		known   string // what is analyzed
	}{
		"nothing is known":          {false, ""},
		"no recipient is limited":   {false, "ANALYZE otps, tallies"},
		"one recipient is limited":  {true, "ANALYZE otps, tallies"},
		"only the limits are known": {true, "ANALYZE tallies"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			s := made(t, url)
			const otps = 4
			for range otps {
				if c.limited {
					sentTo(t, s, [16]byte{1}, guard.Rules{ConsecutiveFailures: 5})
				} else {
					sent(t, s)
				}
			}
			if _, err := raw(t, url).Exec(t.Context(), c.known); err != nil {
				t.Fatal(err)
			}
			tx, err := grouped(t, url).Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			var accounts []int64
			var ids [][]byte
			if err := tx.QueryRow(t.Context(), "SELECT array_agg(account_id), array_agg(id) FROM otps").Scan(&accounts, &ids); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), postgres.Hot()["lockChecked"], accounts, ids); err != nil {
				t.Fatal(err)
			}
			free, err := raw(t, url).Query(t.Context(), "SELECT seq FROM otps FOR UPDATE SKIP LOCKED")
			if err != nil {
				t.Fatal(err)
			}
			if left, err := pgx.CollectRows(free, pgx.RowTo[int64]); len(left) != 0 || err != nil {
				t.Errorf("OTPs %v of %d are not locked (%v)", left, otps, err)
			}
		})
	}
}

// V-03: the other node's change is seen, and the time is read after the lock.
func TestACheckThatWaitedForAnotherNodeSeesWhatThatDid(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s := made(t, url+patient)
	id := sent(t, s)
	conn := raw(t, url)
	if _, err := conn.Exec(t.Context(), "ANALYZE tallies"); err != nil {
		t.Fatal(err)
	}
	other, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(t.Context()) }()
	if _, err := other.Exec(t.Context(), "UPDATE otps SET expires_at = created_at + 1"); err != nil {
		t.Fatal(err)
	}
	checked := make(chan otp.Verdict, 1)
	go func() {
		c, err := s.CountAttempt(t.Context(), guess(id, rightCode))
		if err != nil {
			t.Errorf("CountAttempt: %v", err)
		}
		checked <- c.Verdict
	}()
	watch := raw(t, url)
	for waits := false; !waits; {
		err := watch.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))",
			conn.PgConn().PID()).Scan(&waits)
		if err = errors.Join(err, t.Context().Err()); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-checked; got != otp.Late {
		t.Errorf("a right code that waited past the OTP's end = %v, want Late", got)
	}
}
