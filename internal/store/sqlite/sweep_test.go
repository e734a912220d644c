package sqlite_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/upkeep"
)

// Each of these tables can hold a day's worth of rows that become old at once:
// after a stop of a day, say. A check that comes meanwhile waits for one batch.
func TestAPurgeLetsOthersWriteBetweenItsBatches(t *testing.T) {
	t.Parallel()
	const rows = 3*sqlite.SweepBatch + 1
	const n = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
	for table, fill := range map[string]string{
		"idempotency": n + `INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) SELECT 1, CAST(i AS BLOB), x'00', '{}', 1 FROM n`,
		"callbacks": n + `INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, created_at, dead_at)
			SELECT CAST(i AS BLOB), 1, 'c', 1, i, 1, 1 FROM n`,
		"figures": n + `INSERT INTO figures (account_id, dimension, day, value, counts) SELECT 1, 1, 1, i, x'' FROM n`,
	} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
				if _, err := tx.Exec("INSERT INTO accounts (id, name, created_at) VALUES (1, 'acme', 1)"); err != nil {
					return err
				}
				_, err := tx.Exec(fill, rows)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			purge := func() (commits int) {
				before := b.commits.total()
				if _, err := b.Purge(t.Context(), upkeep.Retention{OTPs: time.Hour, Callbacks: time.Hour, Tallies: time.Hour}); err != nil {
					t.Fatalf("Purge: %v", err)
				}
				return b.commits.total() - before
			}
			full := purge()
			var left int
			if err := b.Reader().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d rows are left, %v; want none", left, err)
			}
			if empty := purge(); full < empty+3 {
				t.Errorf("%d rows went in %d commits more than none do, want 3", rows, full-empty)
			}
		})
	}
}

func TestAPurgeFindsWhatIsOldAndStopsAtWhatIsNot(t *testing.T) {
	t.Parallel()
	const old, young = 2*sqlite.SweepBatch + 1, 2 * sqlite.SweepBatch
	b := newBench(t)
	now := b.Now().UnixMicro()
	if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		if _, err := tx.Exec("INSERT INTO accounts (id, name, created_at) VALUES (1, 'acme', 1)"); err != nil {
			return err
		}
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO otps (account_id, seq, id, origin, state, allowed, form, code_length, bound, resendable, limited,
				created_at, expires_at, life, key_id, digest, recipient, recipient_key, plan)
			SELECT 1, i, CAST(i AS BLOB), '', 3, 3, 0, 6, 0, 0, 1, iif(i <= ?2, 1, ?3), iif(i <= ?2, 1, ?3), 0, 0, x'', '', CAST(i AS BLOB), '' FROM n`, old+young, old, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Purge(t.Context(), upkeep.Keep(time.Hour)); err != nil || n != old {
		t.Errorf("Purge = %d, %v; want %d", n, err, old)
	}
}
