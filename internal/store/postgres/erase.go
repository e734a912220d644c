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
	// uses idempotency_pkey.
	selectNaming = `SELECT key, strpos(result, $1) > 0 FROM idempotency WHERE account_id = $2 AND key > $3 ORDER BY key LIMIT $4`
	// uses idempotency_pkey.
	eraseAnswers = `DELETE FROM idempotency WHERE account_id = $1 AND key = ANY ($2::bytea[]) AND strpos(result, $3) > 0`
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
		name, found, err := registry.First(s.scoped(ctx, account), registry.ScanText, selectName, account, key[:])
		if err != nil {
			return "", readError("read the recipient", err)
		}
		if found {
			return name, nil
		}
	}
	return "", nil
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

// keptAnswer names an answer by its idempotency key, and says whether it is one
// that is looked for.
type keptAnswer struct {
	key    []byte
	wanted bool
}

// eraseAnswers removes the account's answers that name a recipient. There is no
// index for that: the table is walked in pages, in which no row is locked.
func (s *Store) eraseAnswers(ctx context.Context, account int64, name string) error {
	naming, err := registry.AnswerNaming(name)
	if err != nil {
		return err
	}
	for last := []byte{}; ; {
		page, err := registry.Collect(s.scoped(ctx, account), func(row scanner) (k keptAnswer, err error) {
			err = row.Scan(&k.key, &k.wanted)
			return k, err
		}, selectNaming, naming, account, last, upkeep.SweepBatch)
		if err != nil {
			return readError("read answers", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = page[len(page)-1].key
		var keys [][]byte
		for _, k := range page {
			if k.wanted {
				keys = append(keys, k.key)
			}
		}
		if len(keys) == 0 {
			continue
		}
		if _, err := s.drop(ctx, eraseAnswers, account, keys, naming); err != nil {
			return err
		}
	}
}
