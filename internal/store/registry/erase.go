package registry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/upkeep"
)

const (
	// uses idempotency_pkey.
	selectAnswers = `SELECT key, result FROM idempotency WHERE account_id = $1 AND key > $2 ORDER BY key LIMIT $3`
	// uses idempotency_pkey. A key that was given another answer meanwhile keeps it.
	eraseAnswer = `DELETE FROM idempotency WHERE account_id = $1 AND key = $2 AND result = $3`
)

// Eraser is how a store removes what it keeps of a recipient.
type Eraser struct {
	// Named reads the recipient as an OTP of an account ($1) and a key ($2) names it.
	Named string
	// OTPs removes those of one account and returns how many there were.
	OTPs func(ctx context.Context, account int64, recipientKey []byte) (int, error)
	// Rest leaves the database to others before the next batch, where the last one
	// took so long; it returns why ctx ended. Nil where nobody waits for batches.
	Rest func(ctx context.Context, took time.Duration) error
}

// Erase removes what a store keeps of the recipient that keys name by account, and
// returns how many OTPs that were.
//
// Answers that are kept for idempotency keys and name the recipient go too: a
// request that is repeated afterwards is a new one, so a send sends again. How
// answers name the recipient is known from its OTPs. If all of these were deleted
// before, the answers end by themselves, answer.KeptFor after they were given.
func (r *Registry) Erase(ctx context.Context, keys map[string][16]byte, e Eraser) (int, error) {
	ids := make(map[int64][16]byte, len(keys))
	name := ""
	for account, key := range keys {
		id, err := r.AccountID(ctx, account)
		if err != nil {
			return 0, err
		}
		ids[id] = key
		if name != "" {
			continue
		}
		if name, _, err = First(r.db.Ask(ctx, id), ScanText, e.Named, id, key[:]); err != nil {
			return 0, r.db.ReadError("read the recipient", err)
		}
	}
	total := 0
	for id, key := range ids {
		n, err := e.OTPs(ctx, id, key[:])
		total += n
		if err == nil && name != "" {
			err = r.eraseAnswers(ctx, id, name, e.Rest)
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// kept is an answer to an idempotency key.
type kept struct {
	key    []byte
	result string
}

// eraseAnswers removes the account's answers that name a recipient. There is no
// index for that: the account's answers are read in pages, outside of any
// transaction that writes. Each page that has some of them is a batch.
func (r *Registry) eraseAnswers(ctx context.Context, account int64, name string, rest func(ctx context.Context, took time.Duration) error) error {
	naming, err := answer.Naming(name)
	if err != nil {
		return err
	}
	var took time.Duration
	for last := []byte{}; ; {
		page, err := Collect(r.db.Ask(ctx, account), func(row Row) (k kept, err error) {
			err = row.Scan(&k.key, &k.result)
			return k, err
		}, selectAnswers, account, last, upkeep.SweepBatch)
		if err != nil {
			return r.db.ReadError("read answers", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = page[len(page)-1].key
		var erasing []Statement
		for _, k := range page {
			if strings.Contains(k.result, naming) {
				erasing = append(erasing, do(eraseAnswer, account, k.key, k.result))
			}
		}
		if len(erasing) == 0 {
			continue
		}
		if rest != nil { // before the first too: OTPs were removed just now
			if err := rest(ctx, took); err != nil {
				return err
			}
		}
		start := time.Now() //nolint:forbidigo // how long a batch took
		err = r.db.Write(ctx, func(t Tx) error {
			t.Only(account)
			return t.All(erasing...)
		})
		if err != nil {
			return fmt.Errorf("erase answers: %w", err)
		}
		took = time.Since(start)
	}
}
