package sqlite

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

const (
	// uses recipients_pkey.
	selectOfRecipient = `SELECT otp FROM recipients WHERE account_id = ? AND recipient_key = ? AND otp > 0 LIMIT ?`
	// uses recipients_pkey.
	selectName = `SELECT o.recipient FROM recipients r CROSS JOIN otps o ON o.seq = r.otp
		WHERE r.account_id = $1 AND r.recipient_key = $2 AND r.otp > 0 LIMIT 1`
)

// EraseRecipient removes every OTP sent to the recipient that keys name by
// account, with all that belongs to them (P-05), and the answers that name it
// (registry.Erase); what limits remember stays, under its keyed hash. It returns
// how many OTPs were removed. keys maps account names to the recipient's key
// there.
func (s *Store) EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error) {
	return s.Erase(ctx, keys, selectName, s.eraseOTPs)
}

func (s *Store) eraseOTPs(ctx context.Context, account int64, recipientKey []byte) (int, error) {
	for total := 0; ; {
		var n int
		err := s.write(ctx, func(t *tx) error {
			seqs, err := registry.Collect(t.query, registry.ScanInt, selectOfRecipient, account, recipientKey, upkeep.SweepBatch)
			if err != nil {
				return fmt.Errorf("read the recipient's otps: %w", err)
			}
			for _, seq := range seqs {
				if err := t.deleteOTP(otpKey{account, seq, recipientKey}); err != nil {
					return err
				}
			}
			n = len(seqs)
			return nil
		})
		if err != nil {
			return total, err
		}
		if total += n; n < upkeep.SweepBatch {
			return total, nil
		}
	}
}
