package sqlite

import (
	"context"
	"fmt"
	"strconv"

	"github.com/countersign/countersign/internal/callback"
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
)

// notePush notes an attempt beside its event. uses callbacks_id_key, then
// events_pkey.
var notePush = `UPDATE events SET pushes = CASE WHEN length(pushes) > ` + strconv.Itoa(report.MaxNotes) + ` THEN pushes ELSE coalesce(CAST(pushes || ? AS BLOB), ?) END
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
