package registry

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
)

const replayCallback = `UPDATE callbacks SET attempts = 0, due_at = $1, dead_at = NULL
		WHERE id = $2 AND due_at IS NULL`

// Replay implements callback.CommandStore.
func (r *Registry) Replay(ctx context.Context, id string) error {
	return r.db.Write(ctx, func(t Tx) error {
		n, err := t.Exec(replayCallback, column.Micros(t.Now()), column.EncodeID(id))
		if err != nil {
			return fmt.Errorf("replay callback: %w", err)
		}
		if n == 0 {
			return callback.ErrNotFound
		}
		return nil
	})
}

// What scanLetter reads, of callbacks c.
const (
	letterColumns = `SELECT c.seq, c.id, a.name, c.config_id, o.id, e.kind, c.created_at, c.attempts,
		coalesce(c.due_at, 0), c.due_at IS NULL, c.last_status, c.last_problem`
	letterJoins = `
	JOIN accounts a ON a.id = c.account_id
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq`
)

// placedLetter is a letter and where it stands in the order of all.
type placedLetter struct {
	seq int64
	callback.Letter
}

// scanLetter reads a row of letterColumns.
func scanLetter(rows Row) (l placedLetter, err error) {
	var id, otpID []byte
	var kind uint8
	var created, due int64
	err = rows.Scan(&l.seq, &id, &l.Account, &l.ConfigID, &otpID, &kind, &created, &l.Attempts,
		&due, &l.Dead, &l.LastStatus, &l.LastProblem)
	l.ID, l.OTPID, l.Kind = column.DecodeID(id), column.DecodeID(otpID), otp.EventKind(kind)
	l.Created, l.Due = column.FromMicros(created), column.FromMicros(due)
	return l, err
}

// For operators only: without an account it crosses accounts.
const selectLetters = letterColumns + ` FROM callbacks c` + letterJoins + `
	WHERE (CAST($1 AS BIGINT) = 0 OR c.account_id = $1) AND (NOT CAST($2 AS BOOLEAN) OR c.due_at IS NULL)
	ORDER BY c.seq LIMIT $3`

// Letters implements callback.CommandStore.
func (r *Registry) Letters(ctx context.Context, account string, onlyDead bool, limit int) ([]callback.Letter, error) {
	var accountID int64
	if account != "" {
		var err error
		if accountID, err = r.AccountID(ctx, account); err != nil {
			return nil, err
		}
	}
	all, err := Collect(r.db.Ask(ctx, 0), func(row Row) (callback.Letter, error) {
		l, err := scanLetter(row)
		return l.Letter, err
	}, selectLetters, accountID, onlyDead, limit)
	if err != nil {
		return nil, r.db.ReadError("list callbacks", err)
	}
	return all, nil
}
