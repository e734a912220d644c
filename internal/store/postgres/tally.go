package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// All use tallies_pkey.
const (
	// holdTally locks and reads the row, made if need be, in one statement: one
	// that is deleted while it waits is made anew.
	holdTally = `INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at) VALUES ($1, $2, '{}', '{}', 0, $3)
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET updated_at = tallies.updated_at RETURNING sends, calls, failures, consecutive`
	updateTally = `UPDATE tallies SET sends = $3, calls = nullif($4::bigint[], '{}'), failures = $5, consecutive = $6, updated_at = $7 WHERE account_id = $1 AND recipient_key = $2`
	clearTally  = `DELETE FROM tallies WHERE account_id = $1 AND recipient_key = $2
		AND (cardinality(sends) > 0 OR cardinality(failures) > 0 OR consecutive > 0)`
)

// tallyOrder compares recipients as everybody orders them who locks what limits
// remember of several, so that none waits for another in a circle.
func tallyOrder(accountA int64, recipientA []byte, accountB int64, recipientB []byte) int {
	return cmp.Or(cmp.Compare(accountA, accountB), bytes.Compare(recipientA, recipientB))
}

// tally locks and reads what limits remember of a recipient.
func (t *tx) tally(accountID int64, recipientKey []byte) (guard.Tally, error) {
	var sends, calls, failures []int64
	var g guard.Tally
	if err := t.row(holdTally, accountID, recipientKey, column.Micros(t.now)).Scan(&sends, &calls, &failures, &g.Consecutive); err != nil {
		return g, fmt.Errorf("read limits: %w", err)
	}
	g.Sends, g.Calls, g.Failures = fromAll(sends), fromAll(calls), fromAll(failures)
	return g, nil
}

// lockTally is tally, and then reads the time.
func (t *tx) lockTally(accountID int64, recipientKey []byte) (guard.Tally, error) {
	g, err := t.tally(accountID, recipientKey)
	if err == nil {
		err = t.readClock()
	}
	if err != nil {
		return g, fmt.Errorf("lock limits: %w", err)
	}
	return g, nil
}

// saveTally writes what limits remember of a recipient that tally has locked.
func (t *tx) saveTally(accountID int64, recipientKey []byte, g guard.Tally) {
	t.put(updateTally, accountID, recipientKey, microsOf(g.Sends), microsOf(g.Calls), microsOf(g.Failures), g.Consecutive, column.Micros(t.now))
}

// admitSend counts one more send to the recipient or refuses it with
// *verify.LimitError.
func (t *tx) admitSend(accountID int64, recipientKey []byte, rules guard.Rules, send guard.Send) error {
	g, err := t.tally(accountID, recipientKey)
	if err != nil {
		return err
	}
	if refused := rules.AdmitSend(&g, send, t.now); refused != nil {
		return &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
	}
	t.saveTally(accountID, recipientKey, g)
	return nil
}

// ClearLimits forgets what limits remember of a recipient and reports whether
// there was anything: the operator's audited clear (L-02).
func (s *Store) ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return false, err
	}
	var n int64
	err = s.write(ctx, func(t *tx) error {
		t.only(accountID)
		var err error
		n, err = t.exec(clearTally, accountID, recipientKey[:])
		return err
	})
	if err != nil {
		return false, fmt.Errorf("clear limits: %w", err)
	}
	return n > 0, nil
}
