package registry

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

var _ callback.DeskStore = (*Registry)(nil)

const (
	// uses callbacks_config_idx and sorts; where a configuration has many,
	// PostgreSQL may go by callbacks_pkey instead, which is in order. Only what is
	// on the page is joined, from left to right.
	selectConfigLetters = letterColumns + `
	FROM (SELECT seq FROM callbacks WHERE account_id = $1 AND config_id = $2 AND (due_at IS NULL) = $3 AND seq > $4
		ORDER BY seq LIMIT $5) page
	CROSS JOIN callbacks c` + letterJoins + `
	WHERE c.account_id = $1 AND c.seq = page.seq ORDER BY page.seq`
	// uses callbacks_config_idx; PostgreSQL may read the account's by callbacks_pkey.
	countLetters = `SELECT config_id, count(due_at), count(*) - count(due_at)
	FROM callbacks WHERE account_id = $1 GROUP BY config_id`
	// uses callbacks_config_idx (PostgreSQL may use callbacks_dead_idx), then the
	// primary key: IS TRUE says nothing but that no other index is of use.
	replayLetters = `UPDATE callbacks SET attempts = 0, due_at = $1, dead_at = NULL
	WHERE (due_at IS NULL) IS TRUE AND (account_id, seq) IN (SELECT account_id, seq FROM callbacks
		WHERE account_id = $2 AND config_id = $3 AND due_at IS NULL AND dead_at <= $4 LIMIT $5)`
	// uses the index of id.
	replayLetter = `UPDATE callbacks SET attempts = 0, due_at = $1, dead_at = NULL
	WHERE account_id = $2 AND config_id = $3 AND due_at IS NULL AND id = $4`
)

// ConfigLetters implements callback.DeskStore.
func (r *Registry) ConfigLetters(ctx context.Context, l callback.Letters) (page []callback.Letter, next int64, err error) {
	accountID, err := r.AccountID(ctx, l.Account)
	if err != nil {
		return nil, 0, err
	}
	found, err := Collect(r.db.Ask(ctx, accountID), scanLetter, selectConfigLetters, accountID, l.ConfigID, l.Dead, l.After, l.Limit+1)
	if err != nil {
		return nil, 0, r.db.ReadError("list callbacks", err)
	}
	if len(found) > l.Limit {
		found = found[:l.Limit]
		next = found[l.Limit-1].seq
	}
	for _, f := range found {
		page = append(page, f.Letter)
	}
	return page, next, nil
}

// CountLetters implements callback.DeskStore.
func (r *Registry) CountLetters(ctx context.Context, account string) (map[string]callback.Waiting, error) {
	accountID, err := r.AccountID(ctx, account)
	if err != nil {
		return nil, err
	}
	type counted struct {
		config string
		callback.Waiting
	}
	counts, err := Collect(r.db.Ask(ctx, accountID), func(rows Row) (c counted, err error) {
		err = rows.Scan(&c.config, &c.Open, &c.Dead)
		return c, err
	}, countLetters, accountID)
	if err != nil {
		return nil, r.db.ReadError("count callbacks", err)
	}
	all := make(map[string]callback.Waiting, len(counts))
	for _, c := range counts {
		all[c.config] = c.Waiting
	}
	return all, nil
}

// ReplayLetter implements callback.DeskStore.
func (r *Registry) ReplayLetter(ctx context.Context, account, configID, id string) error {
	accountID, err := r.AccountID(ctx, account)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(t Tx) error {
		t.Only(accountID)
		n, err := t.Exec(replayLetter, column.Micros(t.Now()), accountID, configID, column.EncodeID(id))
		if err != nil {
			return fmt.Errorf("replay callback: %w", err)
		}
		if n == 0 {
			return callback.ErrNotFound
		}
		return nil
	})
}

// ReplayLetters implements callback.DeskStore. After an error the batches before
// it stay replayed.
func (r *Registry) ReplayLetters(ctx context.Context, account, configID string) (int, error) {
	accountID, err := r.AccountID(ctx, account)
	if err != nil {
		return 0, err
	}
	var asked int64 // what dies again meanwhile stays dead
	for total := 0; ; {
		var n int64
		err := r.db.Write(ctx, func(t Tx) (err error) {
			t.Only(accountID)
			now := column.Micros(t.Now())
			if asked == 0 {
				asked = now
			}
			if n, err = t.Exec(replayLetters, now, accountID, configID, asked, upkeep.SweepBatch); err != nil {
				return fmt.Errorf("replay callbacks: %w", err)
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		if total += int(n); n < upkeep.SweepBatch {
			return total, nil
		}
	}
}
