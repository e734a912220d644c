package postgres

import (
	"context"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

const (
	// uses otps_recipient_idx.
	selectRecipientsOTPs = `SELECT account_id, seq FROM otps WHERE account_id = $1 AND recipient_key = $2 LIMIT $3`
	// uses otps_recipient_idx.
	selectName = `SELECT recipient FROM otps WHERE account_id = $1 AND recipient_key = $2 LIMIT 1`
)

// EraseRecipient removes every OTP sent to the recipient that keys name by
// account, with all that belongs to them (P-05), and the answers that name it
// (registry.Erase); what limits remember stays, under its keyed hash. It returns
// how many OTPs were removed. keys maps account names to the recipient's key
// there.
func (s *Store) EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error) {
	return s.Erase(ctx, keys, registry.Eraser{Named: selectName, OTPs: s.eraseOTPs})
}

func (s *Store) eraseOTPs(ctx context.Context, account int64, recipientKey []byte) (int, error) {
	for total := 0; ; {
		found, err := registry.Collect(s.scoped(ctx, account), scanOTPKey, selectRecipientsOTPs, account, recipientKey, upkeep.SweepBatch)
		if err != nil {
			return total, readError("read the recipient's otps", err)
		}
		if len(found) == 0 {
			return total, nil
		}
		var n int
		err = s.write(ctx, func(t *tx) (err error) {
			n, err = t.deleteOTPs(found)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
}
