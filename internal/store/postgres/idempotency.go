package postgres

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// The key is claimed before anything else is done, so that of two requests
// with one key the second waits for the first and then finds its answer. All
// use idempotency_pkey.
const (
	claimAnswer = `INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, result = '', created_at = excluded.created_at
		WHERE idempotency.created_at <= $5`
	selectAnswer = `SELECT fingerprint, result FROM idempotency WHERE account_id = $1 AND key = $2`
	writeAnswer  = `UPDATE idempotency SET result = $3 WHERE account_id = $1 AND key = $2`
)

// Answered implements verify.Store. Where no answer is to be read, a request with
// the key may be under way at another node, or at this one for a caller that left:
// a claim waits for it. It is undone, so the key stays free.
func (s *Store) Answered(ctx context.Context, account string, i verify.Idempotency) (verify.Checked, error) {
	return s.AnsweredInTurn(ctx, account, i, func(accountID int64, look func(*verify.Checked, error) error) error {
		return s.write(ctx, func(t *tx) error {
			t.only(accountID)
			return look(t.answer(accountID, i))
		})
	})
}

// repeat looks for an earlier answer and reports whether there is one, now in
// rec. verify.ErrIdempotencyMismatch if it was to another request.
func (t *tx) repeat(accountID int64, i verify.Idempotency, rec *verify.Record) (bool, error) {
	a, err := t.answer(accountID, i)
	if a == nil || err != nil {
		return false, err
	}
	*rec = a.Record
	return true, nil
}

func (t *tx) answer(accountID int64, i verify.Idempotency) (*verify.Checked, error) {
	if i.IsZero() {
		return nil, nil //nolint:nilnil // no answer is no error
	}
	var fingerprint []byte
	var result string
	claimed, err := t.exec(claimAnswer, accountID, i.Key[:], i.Fingerprint[:], column.Micros(t.now), column.Micros(t.now.Add(-answer.KeptFor)))
	if err != nil {
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	if claimed > 0 {
		return nil, nil //nolint:nilnil // as above
	}
	if err := t.row(selectAnswer, accountID, i.Key[:]).Scan(&fingerprint, &result); err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	return answer.Read(i, fingerprint, result)
}

// remember keeps the answer in the transaction of the work.
func (t *tx) remember(accountID int64, i verify.Idempotency, rec verify.Record) error {
	return t.rememberAnswer(accountID, i, verify.Checked{Record: rec})
}

func (t *tx) rememberAnswer(accountID int64, i verify.Idempotency, a verify.Checked) error {
	if i.IsZero() {
		return nil
	}
	kept, err := answer.Encode(a)
	if err != nil {
		return err
	}
	t.put(writeAnswer, accountID, i.Key[:], kept)
	return nil
}
