package registry

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// SelectAnswer reads the answer that an account ($1) has under a key ($2) since a
// time ($3). uses idempotency_pkey.
const SelectAnswer = "SELECT fingerprint, result FROM idempotency WHERE account_id = $1 AND key = $2 AND created_at > $3"

// AnsweredInTurn implements verify.Store's Answered. Where no answer is to be read,
// a request with the key may be under way: turn has look asked what is kept once that
// has ended, in a transaction that an error of look undoes.
func (r *Registry) AnsweredInTurn(
	ctx context.Context, account string, i verify.Idempotency, turn func(accountID int64, look func(kept *verify.Checked, err error) error) error,
) (verify.Checked, error) {
	id, err := r.AccountID(ctx, account)
	if err != nil {
		return verify.Checked{}, err
	}
	c, err := r.answered(ctx, id, i)
	if !errors.Is(err, verify.ErrNotFound) {
		return c, err
	}
	err = turn(id, func(kept *verify.Checked, err error) error {
		switch {
		case err != nil:
			return err
		case kept == nil:
			return verify.ErrNotFound
		}
		c = *kept
		return nil
	})
	if err != nil {
		return verify.Checked{}, err
	}
	return c, nil
}

// answered reads the answer that is kept; verify.ErrNotFound if there is none.
func (r *Registry) answered(ctx context.Context, id int64, i verify.Idempotency) (verify.Checked, error) {
	type kept struct {
		fingerprint []byte
		result      string
	}
	k, found, err := First(r.db.Ask(ctx, id), func(row Row) (k kept, err error) {
		err = row.Scan(&k.fingerprint, &k.result)
		return k, err
	}, SelectAnswer, id, i.Key[:], column.Micros(r.db.Now().Add(-answer.KeptFor)))
	switch {
	case err != nil:
		return verify.Checked{}, r.db.ReadError("read idempotency key", err)
	case !found:
		return verify.Checked{}, verify.ErrNotFound
	}
	a, err := answer.Read(i, k.fingerprint, k.result)
	if err != nil {
		return verify.Checked{}, err
	}
	return *a, nil
}
