package registry

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/column"
)

// uses otps_id_key, then deliveries_pkey.
const readMaySubmit = `SELECT 1 FROM otps o JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq
	WHERE o.account_id = $1 AND o.id = $2 AND o.state = 1 AND o.expires_at > $3 AND d.seq = $4 AND d.state = 1 AND d.sealed IS NOT NULL`

// MaySubmit implements delivery.Store.
func (r *Registry) MaySubmit(ctx context.Context, key delivery.Key) (bool, error) {
	accountID, err := r.AccountID(ctx, key.Account)
	if errors.Is(err, ErrNoAccount) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	may, err := Exists(r.db.Ask(ctx, accountID), readMaySubmit, accountID, column.EncodeID(key.OTPID), column.Micros(r.db.Now()), key.Seq)
	if err != nil {
		return false, r.db.ReadError("read otp of a claimed delivery", err)
	}
	return may, nil
}
