package registry

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
)

var _ callback.DeskStore = (*Registry)(nil)

const (
	// uses callbacks_config_idx and sorts; where a configuration has many,
	// PostgreSQL may go by callbacks_pkey instead, which is in order.
	selectConfigLetters = `SELECT c.seq, c.id, a.name, c.config_id, o.id, e.kind, c.created_at, c.attempts,
		coalesce(c.due_at, 0), c.due_at IS NULL, c.last_status, c.last_problem
	FROM callbacks c
	JOIN accounts a ON a.id = c.account_id
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq
	WHERE c.account_id = $1 AND c.config_id = $2 AND (c.due_at IS NULL) = $3 AND c.seq > $4
	ORDER BY c.seq LIMIT $5`
	// uses callbacks_config_idx; PostgreSQL may read the account's by callbacks_pkey.
	countLetters = `SELECT config_id, count(due_at), count(*) - count(due_at)
	FROM callbacks WHERE account_id = $1 GROUP BY config_id`
	// uses callbacks_config_idx.
	replayLetters = `UPDATE callbacks SET attempts = 0, due_at = $1, dead_at = NULL
	WHERE account_id = $2 AND config_id = $3 AND due_at IS NULL`
	// uses the index of id.
	replayLetter = replayLetters + ` AND id = $4`
)

type placedLetter struct {
	seq int64
	callback.Letter
}

// ConfigLetters implements callback.DeskStore.
func (r *Registry) ConfigLetters(ctx context.Context, l callback.Letters) (letters []callback.Letter, next int64, err error) {
	accountID, err := r.AccountID(ctx, l.Account)
	if err != nil {
		return nil, 0, err
	}
	found, err := Collect(r.db.Ask(ctx, accountID), scanPlacedLetter, selectConfigLetters, accountID, l.ConfigID, l.Dead, l.After, l.Limit+1)
	if err != nil {
		return nil, 0, r.db.ReadError("list callbacks", err)
	}
	if len(found) > l.Limit {
		found = found[:l.Limit]
		next = found[l.Limit-1].seq
	}
	for _, f := range found {
		letters = append(letters, f.Letter)
	}
	return letters, next, nil
}

func scanPlacedLetter(rows Row) (l placedLetter, err error) {
	var id, otpID []byte
	var kind uint8
	var created, due int64
	err = rows.Scan(&l.seq, &id, &l.Account, &l.ConfigID, &otpID, &kind, &created, &l.Attempts,
		&due, &l.Dead, &l.LastStatus, &l.LastProblem)
	l.ID, l.OTPID, l.Kind = column.DecodeID(id), column.DecodeID(otpID), otp.EventKind(kind)
	l.Created, l.Due = column.FromMicros(created), column.FromMicros(due)
	return l, err
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

// ReplayLetters implements callback.DeskStore.
func (r *Registry) ReplayLetters(ctx context.Context, account, configID string) (int, error) {
	accountID, err := r.AccountID(ctx, account)
	if err != nil {
		return 0, err
	}
	var n int64
	err = r.db.Write(ctx, func(t Tx) (err error) {
		t.Only(accountID)
		if n, err = t.Exec(replayLetters, column.Micros(t.Now()), accountID, configID); err != nil {
			return fmt.Errorf("replay callbacks: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}
