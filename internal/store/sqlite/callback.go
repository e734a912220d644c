package sqlite

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
)

var _ callback.Store = (*Store)(nil)

const (
	receivedCallback = `DELETE FROM callbacks WHERE id = ?` // uses callbacks_id_key
	retryCallback    = `UPDATE callbacks SET attempts = attempts + 1, due_at = ?, lease_node = NULL,
		last_status = ?, last_problem = ? WHERE id = ?` // uses callbacks_id_key
	deadCallback = `UPDATE callbacks SET attempts = attempts + 1, due_at = NULL, dead_at = ?, lease_node = NULL,
		last_status = ?, last_problem = ? WHERE id = ?` // uses callbacks_id_key
	releaseCallbacks = `UPDATE callbacks SET due_at = min(due_at, ?), lease_node = NULL
		WHERE lease_node = ? AND due_at IS NOT NULL` // uses callbacks_lease_idx
	replayCallback = `UPDATE callbacks SET attempts = 0, due_at = ?, dead_at = NULL
		WHERE id = ? AND due_at IS NULL` // uses callbacks_id_key
)

// notePush notes an attempt beside its event. uses callbacks_id_key, then
// events_pkey.
const notePush = `UPDATE events SET pushes = CASE WHEN length(pushes) > 4096 THEN pushes ELSE coalesce(CAST(pushes || ? AS BLOB), ?) END
	FROM callbacks c WHERE c.id = ? AND events.account_id = c.account_id AND events.otp = c.otp AND events.seq = c.event_seq`

func (t *tx) notePush(o callback.Outcome, id []byte) error {
	note := report.NotePush(report.Push{
		ConfigID: o.ConfigID, At: t.now, Latency: o.Latency, Received: o.Received, Status: o.Status, Problem: o.Problem,
	})
	_, err := t.exec(notePush, note, note, id)
	return err
}

// RecordPosts implements callback.Store.
func (s *Store) RecordPosts(ctx context.Context, outcomes []callback.Outcome) error {
	return s.writeUrgent(ctx, func(t *tx) error {
		for _, o := range outcomes {
			id := column.EncodeID(o.ID)
			err := t.notePush(o, id)
			switch {
			case err != nil:
			case o.Received:
				_, err = t.exec(receivedCallback, id)
			case o.RetryAt.IsZero():
				_, err = t.exec(deadCallback, column.Micros(t.now), o.Status, o.Problem, id)
			default:
				_, err = t.exec(retryCallback, column.Micros(o.RetryAt), o.Status, o.Problem, id)
			}
			if err != nil {
				return fmt.Errorf("record callback: %w", err)
			}
		}
		return nil
	})
}

// ReleaseCallbacks implements callback.Store.
func (s *Store) ReleaseCallbacks(ctx context.Context, node string) error {
	return s.writeUrgent(ctx, func(t *tx) error {
		if _, err := t.exec(releaseCallbacks, column.Micros(t.now), node); err != nil {
			return fmt.Errorf("release callbacks: %w", err)
		}
		return nil
	})
}

// Replay implements callback.Store.
func (s *Store) Replay(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(replayCallback, column.Micros(t.now), column.EncodeID(id))
		if err != nil {
			return fmt.Errorf("replay callback: %w", err)
		}
		if n == 0 {
			return callback.ErrNotFound
		}
		return nil
	})
}

// For operators only: without an account it crosses accounts.
const selectLetters = `SELECT c.id, a.name, c.config_id, o.id, e.kind, c.created_at, c.attempts,
		coalesce(c.due_at, 0), c.due_at IS NULL, c.last_status, c.last_problem
	FROM callbacks c
	JOIN accounts a ON a.id = c.account_id
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq
	WHERE (?1 = 0 OR c.account_id = ?1) AND (?2 = 0 OR c.due_at IS NULL)
	ORDER BY c.seq LIMIT ?3`

// Letters implements callback.Store.
func (s *Store) Letters(ctx context.Context, account string, onlyDead bool, limit int) ([]callback.Letter, error) {
	var accountID int64
	if account != "" {
		var err error
		if accountID, err = s.accountID(ctx, account); err != nil {
			return nil, err
		}
	}
	letters, err := collect(s.pooled(ctx), scanLetter, selectLetters, accountID, onlyDead, limit)
	if err != nil {
		return nil, s.readError("list callbacks", err)
	}
	return letters, nil
}

func scanLetter(rows rower) (l callback.Letter, err error) {
	var id, otpID []byte
	var kind uint8
	var created, due int64
	err = rows.Scan(&id, &l.Account, &l.ConfigID, &otpID, &kind, &created, &l.Attempts,
		&due, &l.Dead, &l.LastStatus, &l.LastProblem)
	l.ID, l.OTPID, l.Kind = column.DecodeID(id), column.DecodeID(otpID), otp.EventKind(kind)
	l.Created, l.Due = column.FromMicros(created), column.FromMicros(due)
	return l, err //nolint:wrapcheck // the caller says what it was doing
}
