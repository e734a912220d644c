package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/verify"
)

// lines are a query's rows as text.
func lines(t *testing.T, path, query string) []string {
	t.Helper()
	rows, err := raw(t, path).QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// recipients shows the table: account, recipient, OTP, and what is remembered.
const recipients = `SELECT account_id || ' ' || hex(recipient_key) || ' ' || otp || coalesce(' ' || hex(sends) || ' ' || consecutive || ' ' || updated_at, '')
	FROM recipients ORDER BY account_id, recipient_key, otp`

func TestWhatLimitsRememberedBeforeRecipientsHadRowsIsKept(t *testing.T) {
	t.Parallel()
	path := madeUpTo(t, 8)
	const otp = `INSERT INTO otps (account_id, id, origin, state, allowed, form, code_length, bound, resendable, limited, created_at, expires_at, life,
		key_id, digest, recipient, recipient_key, plan) VALUES (%d, x'%02x', 'v4', 3, 1, 1, 6, 0, 0, 1, 1, 2, 1, 1, x'00', '+4915112345678', x'%s', '{}')`
	run(t, path,
		fmt.Sprintf(otp, 1, 1, "aa"), fmt.Sprintf(otp, 1, 2, "bb"), fmt.Sprintf(otp, 1, 3, "aa"), fmt.Sprintf(otp, 2, 4, "aa"),
		`INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at) VALUES
			(1, x'aa', x'0102', x'', 7, 9), (3, x'cc', x'03', x'', 0, 8)`)
	if err := try(t, path, true); err != nil {
		t.Fatal(err)
	}
	want := []string{"1 AA 1", "1 AA 3 0102 7 9", "1 BB 2", "2 AA 4", "3 CC 0 03 0 8"}
	if diff := cmp.Diff(want, lines(t, path, recipients)); diff != "" {
		t.Errorf("the recipients brought up (-want +got):\n%s", diff)
	}
}

// Deleting the newest OTP frees its number for the next: what limits remember
// of its recipient must not be found at another's OTP.
func TestLimitsFollowTheNewestOTPOfTheirRecipient(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.db")
	s := open(t, path, nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	send := func(id string, key byte) verify.Record {
		t.Helper()
		n := newOTP(t, id, time.Minute)
		n.RecipientKey, n.Limited, n.Rules = [16]byte{key}, true, guard.Compat(10)
		rec, err := s.CreateOTP(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	remove := func(rec verify.Record) {
		t.Helper()
		if _, err := s.DeleteOTP(t.Context(), rec.Ref, verify.Idempotency{}); err != nil {
			t.Fatal(err)
		}
	}
	// otp, and how many sends are remembered there
	expect := func(doing string, want ...string) {
		t.Helper()
		got := lines(t, path, `SELECT hex(substr(recipient_key, 1, 1)) || ' ' || otp || coalesce(' ' || (length(sends) / 8), '') FROM recipients ORDER BY recipient_key, otp`)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", doing, diff)
		}
	}
	first := send("first", 0xaa)
	expect("a send", "AA 1 1")
	second := send("second", 0xaa)
	expect("another", "AA 1", "AA 2 2")
	remove(second)
	expect("deleting the newest", "AA 1 2")
	send("else", 0xbb) // has the deleted one's number
	expect("a send to someone else", "AA 1 2", "BB 2 1")
	remove(first)
	expect("deleting the last", "AA 0 2", "BB 2 1")
	third := send("third", 0xaa)
	expect("a send after it", "AA 3 3", "BB 2 1")
	if cleared, err := s.ClearLimits(t.Context(), "acme", [16]byte{0xaa}); err != nil || !cleared {
		t.Errorf("ClearLimits = %v, %v; want true", cleared, err)
	}
	expect("clearing", "AA 3", "BB 2 1")
	remove(third)
	expect("deleting what has nothing", "BB 2 1")
	if cleared, err := s.ClearLimits(t.Context(), "acme", [16]byte{0xaa}); err != nil || cleared {
		t.Errorf("ClearLimits of nothing = %v, %v; want false", cleared, err)
	}
}
