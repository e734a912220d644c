package proof_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/anishathalye/porcupine"
)

func TestEveryHistoryFitsSomeOrderOfItsCalls(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	calls, unknowns := 0, 0
	for range 8 {
		r := s.record(t, s.store, histories, size{recipients: 6, clients: 8, calls: 60})
		if result := r.explain(t); result != porcupine.Ok {
			t.Fatalf("a history of %d calls is %s, want some order that fits (D-05)", len(r.history), result)
		}
		calls += len(r.history)
		unknowns += r.counts[unknown]
	}
	t.Logf("%d calls, %d of them with unknown outcome", calls, unknowns)
	s.verifiedInTime(t)
}

// verifiedInTime checks the invariant of every row (V-03).
func (s *stack) verifiedInTime(t testing.TB) {
	t.Helper()
	db, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verified, late int
	err = db.QueryRowContext(t.Context(), `SELECT count(*), coalesce(sum(ended_at >= expires_at), 0) FROM otps WHERE state = 2`).Scan(&verified, &late)
	if err != nil || verified == 0 || late > 0 {
		t.Errorf("%d of %d verified OTPs were verified late, %v; want none of some (V-03)", late, verified, err)
	}
}

// whole asks SQLite whether the database in dir is intact, and checks the
// invariants of its rows.
func whole(t testing.TB, dir string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check = %q, %v; want ok", verdict, err)
	}
	for name, query := range map[string]string{
		"verified late":                `SELECT count(*) FROM otps WHERE state = 2 AND ended_at >= expires_at`,
		"more attempts than allowed":   `SELECT count(*) FROM otps WHERE attempts > allowed`,
		"ended but with a sealed code": `SELECT count(*) FROM deliveries d JOIN otps o ON o.seq = d.otp WHERE o.state > 1 AND d.sealed IS NOT NULL`,
		"deliveries of no OTP":         `SELECT count(*) FROM deliveries d LEFT JOIN otps o ON o.seq = d.otp WHERE o.seq IS NULL`,
		// What repeats a send has its Idempotency-Key, and its own recipient.
		"recipients of several OTPs": `SELECT count(*) FROM (SELECT 1 FROM otps GROUP BY account_id, recipient_key HAVING count(*) > 1)`,
		"OTPs without a delivery":    `SELECT count(*) FROM otps o LEFT JOIN deliveries d ON d.otp = o.seq WHERE d.otp IS NULL`,
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n > 0 {
			t.Errorf("%s: %d rows, %v; want none", name, n, err)
		}
	}
}
