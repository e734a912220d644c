package registry

import (
	"context"

	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// SelectAnswer reads the answer that an account ($1) has under a key ($2) since a
// time ($3). uses idempotency_pkey.
const SelectAnswer = "SELECT fingerprint, result FROM idempotency WHERE account_id = $1 AND key = $2 AND created_at > $3"

// Answered implements verify.Store.
func (r *Registry) Answered(ctx context.Context, account string, i verify.Idempotency) (verify.Checked, error) {
	id, err := r.AccountID(ctx, account)
	if err != nil {
		return verify.Checked{}, err
	}
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
