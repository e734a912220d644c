package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// uses idempotency_pkey.
var selectAnswer = withNumbers(registry.SelectAnswer)

// Answered implements verify.Store. Where no answer is to be read, a request with
// the key may be under way for a caller that left: the writer's turn comes after it.
func (s *Store) Answered(ctx context.Context, account string, i verify.Idempotency) (verify.Checked, error) {
	return s.AnsweredInTurn(ctx, account, i, func(accountID int64, look func(*verify.Checked, error) error) error {
		// What was begun comes earlier, whichever queue it was in.
		return s.writeUrgent(ctx, func(t *tx) error { return look(t.answer(accountID, i)) })
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
	err := t.row(selectAnswer, accountID, i.Key[:], t.now.Add(-answer.KeptFor).UnixMicro()).Scan(&fingerprint, &result)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
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
	_, err = t.exec(`INSERT INTO idempotency (account_id, key, fingerprint, result, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, result = excluded.result, created_at = excluded.created_at`,
		accountID, i.Key[:], i.Fingerprint[:], kept, column.Micros(t.now))
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}
