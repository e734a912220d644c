package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// tally is what limits remember of a recipient. It lies in the newest of the
// recipient's rows, of which there is one an OTP; once there are none, in a row
// of its own.
type tally struct {
	guard.Tally
	accountID    int64
	recipientKey []byte
	at           int64     // the newest row, by its OTP; noRow if there is none
	held         bool      // that row remembers something
	updated      time.Time // zero: nothing is remembered
}

// Rows that are no OTP's.
const (
	noRow  = -1
	ownRow = 0 // what is remembered of a recipient without OTPs
)

// uses recipients_pkey.
const selectTally = `SELECT otp, coalesce(updated_at, 0), sends, calls, failures, coalesce(consecutive, 0) FROM recipients
	WHERE account_id = ? AND recipient_key = ? ORDER BY otp DESC LIMIT 1`

const insertRecipient = `INSERT INTO recipients (account_id, recipient_key, otp, sends, calls, failures, consecutive, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

const (
	updateTally = `UPDATE recipients SET sends = ?, calls = ?, failures = ?, consecutive = ?, updated_at = ? WHERE account_id = ? AND recipient_key = ? AND otp = ?`
	forgetTally = `UPDATE recipients SET sends = NULL, calls = NULL, failures = NULL, consecutive = NULL, updated_at = NULL
		WHERE account_id = ? AND recipient_key = ? AND otp = ?`
	deleteRecipient = `DELETE FROM recipients WHERE account_id = ? AND recipient_key = ? AND otp = ?`
	takeRecipient   = deleteRecipient + ` RETURNING coalesce(updated_at, 0), sends, calls, failures, coalesce(consecutive, 0)`
)

// tally reads what limits remember of a recipient.
func (t *tx) tally(accountID int64, recipientKey []byte) (tally, error) {
	var updated int64
	var sends, calls, failures []byte
	g := tally{accountID: accountID, recipientKey: recipientKey, at: noRow}
	err := t.row(selectTally, accountID, recipientKey).Scan(&g.at, &updated, &sends, &calls, &failures, &g.Consecutive)
	if errors.Is(err, sql.ErrNoRows) {
		return g, nil
	}
	if err != nil {
		return g, fmt.Errorf("read limits: %w", err)
	}
	g.remember(updated, sends, calls, failures)
	return g, nil
}

// remember fills the tally from what a row holds.
func (g *tally) remember(updated int64, sends, calls, failures []byte) {
	if g.held = updated != 0; g.held {
		g.updated = column.FromMicros(updated)
		g.Sends, g.Calls, g.Failures = decodeTimes(sends), decodeTimes(calls), decodeTimes(failures)
	}
}

// saveTally writes what limits remember from now on.
func (t *tx) saveTally(g tally) error {
	g.updated = t.now
	return t.putTally(g)
}

// putTally writes what limits remember into the newest row.
func (t *tx) putTally(g tally) error {
	if g.at == noRow {
		return t.insertRecipient(g, ownRow)
	}
	if _, err := t.exec(updateTally, encodeTimes(g.Sends), optionalTimes(g.Calls), encodeTimes(g.Failures), g.Consecutive, column.Micros(g.updated),
		g.accountID, g.recipientKey, g.at); err != nil {
		return fmt.Errorf("write limits: %w", err)
	}
	return nil
}

// addRecipient makes the row of a new OTP, the recipient's newest from now on, and
// moves what limits remember there.
func (t *tx) addRecipient(g tally, seq int64) error {
	if err := t.insertRecipient(g, seq); err != nil {
		return err
	}
	if g.held {
		return t.forget(g)
	}
	return nil
}

// insertRecipient makes a row that holds what the tally does.
func (t *tx) insertRecipient(g tally, seq int64) error {
	args := [...]any{g.accountID, g.recipientKey, seq, nil, nil, nil, nil, nil}
	if !g.updated.IsZero() {
		args[3], args[4], args[5] = encodeTimes(g.Sends), optionalTimes(g.Calls), encodeTimes(g.Failures)
		args[6], args[7] = g.Consecutive, column.Micros(g.updated)
	}
	if _, err := t.exec(insertRecipient, args[:]...); err != nil {
		return fmt.Errorf("write recipient: %w", err)
	}
	return nil
}

// removeRecipient removes the row of an OTP; what limits remember there goes to
// the row that is the newest then.
func (t *tx) removeRecipient(k otpKey) error {
	var updated int64
	var sends, calls, failures []byte
	gone := tally{}
	err := t.returning(func(r rower) error {
		return r.Scan(&updated, &sends, &calls, &failures, &gone.Consecutive)
	}, takeRecipient, k.account, k.recipient, k.seq)
	if err != nil {
		return fmt.Errorf("delete recipient: %w", err)
	}
	if gone.remember(updated, sends, calls, failures); !gone.held {
		return nil
	}
	newest, err := t.tally(k.account, k.recipient)
	if err != nil {
		return err
	}
	newest.Tally, newest.updated = gone.Tally, gone.updated
	return t.putTally(newest)
}

// forget drops what limits remember.
func (t *tx) forget(g tally) error {
	query := forgetTally
	if g.at == ownRow {
		query = deleteRecipient
	}
	if _, err := t.exec(query, g.accountID, g.recipientKey, g.at); err != nil {
		return fmt.Errorf("forget limits: %w", err)
	}
	return nil
}

// admitSend counts one more send or refuses it with *verify.LimitError. What it
// counts is the caller's to write.
func (g *tally) admitSend(rules guard.Rules, send guard.Send, now time.Time) error {
	if refused := rules.AdmitSend(&g.Tally, send, now); refused != nil {
		return &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
	}
	g.updated = now
	return nil
}

// ClearLimits forgets what limits remember of a recipient and reports whether
// there was anything: the operator's audited clear (L-02).
func (s *Store) ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return false, err
	}
	var cleared bool
	err = s.write(ctx, func(t *tx) error {
		cleared = false
		g, err := t.tally(accountID, recipientKey[:])
		if err != nil || len(g.Sends) == 0 && len(g.Failures) == 0 && g.Consecutive == 0 {
			return err
		}
		cleared = true
		return t.forget(g)
	})
	if err != nil {
		return false, fmt.Errorf("clear limits: %w", err)
	}
	return cleared, nil
}
