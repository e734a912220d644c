package sqlite

import (
	"context"
	"fmt"
	"time"

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
	return eraser{s, pause}.recipient(ctx, keys)
}

// eraseRest is the least pause between two batches. A writer of another process
// that finds the database locked sleeps for up to 100 ms before it looks again:
// whoever goes on at once keeps it out for as long as there is something to erase.
const eraseRest = 150 * time.Millisecond

// eraser removes a recipient; pause waits, or returns why ctx ended.
type eraser struct {
	*Store

	pause func(ctx context.Context, d time.Duration) error
}

func (s eraser) recipient(ctx context.Context, keys map[string][16]byte) (int, error) {
	return s.Erase(ctx, keys, registry.Eraser{Named: selectName, OTPs: s.otps, Rest: s.rest})
}

// rest leaves others about as much time as a batch took.
func (s eraser) rest(ctx context.Context, took time.Duration) error {
	return s.pause(ctx, max(eraseRest, took))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // says why
	case <-time.After(d):
		return nil
	}
}

// otps removes those of one account, in batches.
func (s eraser) otps(ctx context.Context, account int64, recipientKey []byte) (int, error) {
	for total := 0; ; {
		var n int
		var more bool
		start := time.Now() //nolint:forbidigo // how long a batch took
		err := s.write(ctx, func(t *tx) error {
			seqs, err := registry.Collect(t.query, registry.ScanInt, selectOfRecipient, account, recipientKey, upkeep.SweepBatch+1)
			if err != nil {
				return fmt.Errorf("read the recipient's otps: %w", err)
			}
			more = len(seqs) > upkeep.SweepBatch
			seqs = seqs[:min(len(seqs), upkeep.SweepBatch)]
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
		if total += n; !more {
			return total, nil
		}
		if err := s.rest(ctx, time.Since(start)); err != nil {
			return total, err
		}
	}
}
