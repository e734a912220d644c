package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/verify"
)

// uses tallies_pkey.
const selectTally = `SELECT sends, failures, consecutive FROM tallies WHERE account_id = ? AND recipient_key = ?`

const insertTally = `INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at)
	VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, recipient_key) DO NOTHING`

// tally reads what limits remember of a recipient.
func (t *tx) tally(accountID int64, recipientKey []byte) (guard.Tally, error) {
	var sends, failures []byte
	var g guard.Tally
	err := t.row(selectTally, accountID, recipientKey).Scan(&sends, &failures, &g.Consecutive)
	if errors.Is(err, sql.ErrNoRows) {
		return g, nil
	}
	if err != nil {
		return g, fmt.Errorf("read limits: %w", err)
	}
	g.Sends, g.Failures = decodeTimes(sends), decodeTimes(failures)
	return g, nil
}

func (t *tx) saveTally(accountID int64, recipientKey []byte, g guard.Tally) error {
	_, err := t.exec(`INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET sends = excluded.sends, failures = excluded.failures,
		consecutive = excluded.consecutive, updated_at = excluded.updated_at`,
		accountID, recipientKey, encodeTimes(g.Sends), encodeTimes(g.Failures), g.Consecutive, micros(t.now))
	if err != nil {
		return fmt.Errorf("write limits: %w", err)
	}
	return nil
}

// admitSend counts one more send to the recipient or refuses it with
// *verify.LimitError; sent is how often the OTP was sent before.
func (t *tx) admitSend(accountID int64, recipientKey []byte, rules guard.Rules, sent int) error {
	// Most sends are the first to their recipient in a while: then one
	// statement finds that out and counts.
	var first guard.Tally
	if rules.AdmitSend(&first, sent, t.now) == nil {
		n, err := t.exec(insertTally, accountID, recipientKey, encodeTimes(first.Sends), []byte{}, 0, micros(t.now))
		if err != nil {
			return fmt.Errorf("write limits: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	g, err := t.tally(accountID, recipientKey)
	if err != nil {
		return err
	}
	if refused := rules.AdmitSend(&g, sent, t.now); refused != nil {
		return &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
	}
	return t.saveTally(accountID, recipientKey, g)
}

// ClearLimits forgets what limits remember of a recipient and reports whether
// there was anything: the operator's audited clear (L-02).
func (s *Store) ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error) {
	accountID, err := s.accountID(ctx, account)
	if err != nil {
		return false, err
	}
	var n int64
	err = s.write(ctx, func(t *tx) error {
		var err error
		n, err = t.exec("DELETE FROM tallies WHERE account_id = ? AND recipient_key = ?", accountID, recipientKey[:])
		return err
	})
	if err != nil {
		return false, fmt.Errorf("clear limits: %w", err)
	}
	return n > 0, nil
}
