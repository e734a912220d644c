package postgres_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/verify"
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
			url := pgtest.URL(t)
			s := made(t, url)
			id := sent(t, s, 4*time.Second)
			holder := raw(t, url)
			tx, err := holder.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var expires int64
			if err := tx.QueryRow(t.Context(), "SELECT expires_at FROM otps FOR UPDATE").Scan(&expires); err != nil {
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
			for count(t.Context(), t, watch, "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE query LIKE '%otps%')") == 0 {
				time.Sleep(time.Millisecond)
			}
			if time.Now().After(time.UnixMicro(expires)) {
				t.Fatal("the check began too late for this test to say anything")
			}
			time.Sleep(time.Until(time.UnixMicro(expires)) + 50*time.Millisecond)
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
