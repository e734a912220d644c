package postgres_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/verify"
)

// turnable puts a clock in the place of the database's own, for whoever looks for
// functions there first. It goes as that does until turned sets it two hours
// ahead, of which statements under way know at once: a sequence is in no snapshot.
const (
	turnable = `CREATE SEQUENCE turns;
		CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
			'SELECT pg_catalog.clock_timestamp() + CASE WHEN is_called THEN interval ''2 hours'' ELSE interval ''0'' END FROM turns'`
	turned = "SELECT nextval('turns')"
)

func TestARowHeldPastItsExpiryIsNotVerifiedLate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		idem verify.Idempotency
	}{
		{"in a group", verify.Idempotency{}},
		{"with an idempotency key", verify.Idempotency{Key: [16]byte{1}, Fingerprint: [16]byte{2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			pgtest.Exec(t, url, turnable)
			s := made(t, url+patient+"&search_path=public,pg_catalog")
			id := sent(t, s)
			holder := raw(t, url)
			tx, err := holder.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), "SELECT FROM otps FOR UPDATE"); err != nil {
				t.Fatal(err)
			}
			type result struct {
				checked verify.Checked
				err     error
			}
			answer := make(chan result, 1)
			go func() {
				a := guess(id, rightCode)
				a.Idempotency = c.idem
				checked, err := s.CountAttempt(t.Context(), a)
				answer <- result{checked, err}
			}()
			// The check waits for the row while its time runs out.
			watch := raw(t, url)
			for count(t.Context(), t, watch, "SELECT count(*) FROM pg_stat_activity WHERE $1::int = ANY (pg_blocking_pids(pid))", holder.PgConn().PID()) == 0 {
				time.Sleep(time.Millisecond)
			}
			pgtest.Exec(t, url, turned)
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := <-answer
			if got.err != nil || got.checked.Verdict != otp.Late || got.checked.Record.Attempts != 0 {
				t.Errorf("the right code after the row was held past its expiry = %v with %d attempts, %v; want Late with 0 (V-03)",
					got.checked.Verdict, got.checked.Record.Attempts, got.err)
			}
		})
	}
}
