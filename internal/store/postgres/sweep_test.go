package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/upkeep"
)

// putOTPs puts ended OTPs with the numbers of a range into an account, made and
// over at a time.
func putOTPs(t *testing.T, db *pgx.Conn, account, from, to, at int64) {
	t.Helper()
	_, err := db.Exec(t.Context(), `INSERT INTO otps (account_id, seq, id, origin, state, allowed, form, code_length, bound, resendable, limited,
			created_at, expires_at, life, key_id, digest, recipient, recipient_key, plan)
		SELECT $1, n, int8send(n), '', 3, 3, 0, 6, false, false, true, $4, $4, 0, 0, int8send(n), '', int8send(n), ''
		FROM generate_series($2::bigint, $3::bigint) AS n`, account, from, to, at)
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPurgeFindsWhatIsOldBehindMuchThatIsNot(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	url := pgtest.Ready(t)
	wall := &storetest.Wall{}
	s := open(t, url, wall.Now)
	db := raw(t, url)
	now, old := wall.Now().UnixMicro(), wall.Now().Add(-40*day).UnixMicro()
	const old1, young1, old2 = 2*upkeep.SweepBatch + 1, 3 * upkeep.SweepBatch, upkeep.SweepBatch + 1
	putOTPs(t, db, 1, 1, old1, old)
	putOTPs(t, db, 1, old1+1, old1+young1, now)
	putOTPs(t, db, 2, 100_001, 100_000+old2, old)
	n, err := s.Purge(t.Context(), upkeep.Keep(30*day))
	if err != nil || n != old1+old2 {
		t.Errorf("Purge = %d, %v; want %d", n, err, old1+old2)
	}
	if n := count(t.Context(), t, db, "SELECT count(*) FROM otps WHERE created_at = $1", now); n != young1 {
		t.Errorf("%d young OTPs are left, want %d", n, young1)
	}

	// However many are not old, one read looks at a page of them.
	rows, err := db.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) "+postgres.SelectAged, pgx.QueryExecModeExec, 0, 0, old, upkeep.SweepBatch)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if plan := strings.Join(lines, "\n"); err != nil || !strings.Contains(plan, "otps_pkey") || strings.Contains(plan, "Removed by Filter") {
		t.Errorf("the plan passes over rows, %v:\n%s", err, plan)
	}
}

// Sends lock what limits remember of several recipients in one order; a purge that
// had another one would wait for them in a circle.
func TestAPurgeLocksWhatLimitsRememberInOrder(t *testing.T) {
	t.Parallel()
	const rows = 200
	for consecutive, left := range map[int]int{0: 0, 1: rows} {
		t.Run(fmt.Sprint(consecutive, " wrong codes in a row"), func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			s := open(t, url+patient, nil)
			db := raw(t, url)
			// The table's own order is the other way round.
			_, err := db.Exec(t.Context(), `INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at)
				SELECT 1, int8send(n) || int8send(n), '{1}', '{}', $1, 1 FROM generate_series($2::bigint, 1, -1) AS n`, consecutive, rows)
			if err != nil {
				t.Fatal(err)
			}
			first := [16]byte{7: 1, 15: 1}
			tx, waited := hold(t, url, first)
			purged := make(chan error, 1)
			go func() {
				_, err := s.Purge(context.WithoutCancel(t.Context()), upkeep.Keep(time.Hour))
				purged <- err
			}()
			waited()
			if n := count(t.Context(), t, db, "SELECT count(*) FROM (SELECT FROM tallies WHERE recipient_key <> $1 FOR UPDATE SKIP LOCKED) AS free", first[:]); n != rows-1 {
				t.Errorf("of %d rows behind the one that it waits for a purge holds %d, want none", rows-1, rows-1-n)
			}
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-purged; err != nil {
				t.Errorf("Purge = %v", err)
			}
			if n := count(t.Context(), t, db, "SELECT count(*) FROM tallies"); n != left {
				t.Errorf("%d rows are left, want %d", n, left)
			}
			if n := count(t.Context(), t, db, "SELECT count(*) FROM tallies WHERE sends <> '{}'"); n != 0 {
				t.Errorf("%d rows remember sends, want none", n)
			}
		})
	}
}

func TestAPurgeDoesEveryPartThatItCan(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	s := open(t, url, nil)
	db := raw(t, url)
	for _, statement := range []string{
		"INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) VALUES (1, 'k', 'f', '', 1)",
		"INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at) VALUES (1, 'r', '{}', '{}', 0, 1)",
		"ALTER TABLE otps RENAME TO away",
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Purge(t.Context(), upkeep.Keep(time.Hour)); err == nil || !strings.Contains(err.Error(), "read old otps") {
		t.Errorf("Purge without a table = %v, want an error that says what was read", err)
	}
	for _, table := range []string{"idempotency", "tallies"} {
		if n := count(t.Context(), t, db, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d old rows of %s are left, want none", n, table)
		}
	}
}
