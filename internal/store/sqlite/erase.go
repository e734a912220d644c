package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

const (
	// uses recipients_pkey.
	selectOfRecipient = `SELECT otp FROM recipients WHERE account_id = ? AND recipient_key = ? AND otp > 0 LIMIT ?`
	// uses recipients_pkey.
	selectName = `SELECT o.recipient FROM recipients r CROSS JOIN otps o ON o.seq = r.otp
		WHERE r.account_id = ? AND r.recipient_key = ? AND r.otp > 0 LIMIT 1`
	// uses idempotency_pkey.
	selectNaming = `SELECT key, instr(result, ?) > 0 FROM idempotency WHERE account_id = ? AND key > ? ORDER BY key LIMIT ?`
	// uses idempotency_pkey.
	eraseAnswer = `DELETE FROM idempotency WHERE account_id = ? AND key = ? AND instr(result, ?) > 0`
)

// EraseRecipient removes every OTP sent to the recipient that keys name by
// account, with all that belongs to them (P-05); what limits remember stays,
// under its keyed hash. It returns how many OTPs were removed. keys maps
// account names to the recipient's key there.
//
// Answers that are kept for idempotency keys and name the recipient go too: a
// request that is repeated afterwards is a new one, so a send sends again. How
// answers name the recipient is known from its OTPs. If all of these were deleted
// before, the answers end by themselves, answer.KeptFor after they were given.
func (s *Store) EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error) {
	ids := make(map[int64][16]byte, len(keys))
	for account, key := range keys {
		id, err := s.AccountID(ctx, account)
		if err != nil {
			return 0, err
		}
		ids[id] = key
	}
	name, err := s.nameOf(ctx, ids)
	if err != nil {
		return 0, err
	}
	total := 0
	for account, key := range ids {
		n, err := s.eraseOTPs(ctx, account, key[:])
		total += n
		if err == nil && name != "" {
			err = s.eraseAnswers(ctx, account, name)
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// nameOf returns the recipient as OTPs name it, "" if there is no OTP. keys are
// by account.
func (s *Store) nameOf(ctx context.Context, keys map[int64][16]byte) (string, error) {
	for account, key := range keys {
		name, found, err := registry.First(s.pooled(ctx), registry.ScanText, selectName, account, key[:])
		if err != nil {
			return "", s.readError("read the recipient", err)
		}
		if found {
			return name, nil
		}
	}
	return "", nil
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

// keptAnswer names an answer by its idempotency key, and says whether it is one
// that is looked for.
type keptAnswer struct {
	key    []byte
	wanted bool
}

// eraseAnswers removes the account's answers that name a recipient. There is no
// index for that: the readers walk the account's answers in pages, and the writer
// only deletes.
func (s *Store) eraseAnswers(ctx context.Context, account int64, name string) error {
	naming, err := registry.AnswerNaming(name)
	if err != nil {
		return err
	}
	for last := []byte{}; ; {
		page, err := registry.Collect(s.pooled(ctx), func(row rower) (k keptAnswer, err error) {
			err = row.Scan(&k.key, &k.wanted)
			return k, err
		}, selectNaming, naming, account, last, upkeep.SweepBatch)
		if err != nil {
			return s.readError("read answers", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = page[len(page)-1].key
		page = slices.DeleteFunc(page, func(k keptAnswer) bool { return !k.wanted })
		if len(page) == 0 {
			continue
		}
		err = s.write(ctx, func(t *tx) error {
			for _, k := range page {
				if _, err := t.exec(eraseAnswer, account, k.key, naming); err != nil {
					return fmt.Errorf("erase answers: %w", err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
