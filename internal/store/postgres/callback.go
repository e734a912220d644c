package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
)

var _ callback.Store = (*Store)(nil)

// notePushes notes attempts beside their events, in the order given: of one
// event for two configurations both. An event that has more than report.MaxNotes bytes
// gets no more. What is to be changed is locked first, in the order in which
// everybody does: callbacks, then events. uses callbacks_id_idx, events_pkey.
var notePushes = `WITH posted AS MATERIALIZED (
		SELECT c.account_id, c.otp, c.event_seq, p.note, p.place
		FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS p (id, note, place)
		JOIN callbacks c ON c.id = p.id
		ORDER BY c.account_id, c.otp, c.config_id, c.event_seq FOR UPDATE OF c
	), noted AS MATERIALIZED (
		SELECT e.account_id, e.otp, e.seq, coalesce(length(e.pushes), 0) AS size
		FROM (SELECT DISTINCT account_id, otp, event_seq FROM posted) p
		JOIN events e ON e.account_id = p.account_id AND e.otp = p.otp AND e.seq = p.event_seq
		ORDER BY e.account_id, e.otp, e.seq FOR NO KEY UPDATE OF e
	)
	UPDATE events e SET pushes = coalesce(e.pushes || n.notes, n.notes)
	FROM (SELECT account_id, otp, seq, string_agg(note, ''::bytea ORDER BY place) AS notes FROM (
		SELECT e.account_id, e.otp, e.seq, p.note, p.place, e.size - length(p.note)
			+ sum(length(p.note)) OVER (PARTITION BY e.account_id, e.otp, e.seq ORDER BY p.place) AS before
		FROM posted p JOIN noted e ON e.account_id = p.account_id AND e.otp = p.otp AND e.seq = p.event_seq
		) p WHERE before <= ` + strconv.Itoa(report.MaxNotes) + ` GROUP BY account_id, otp, seq) n
	WHERE e.account_id = n.account_id AND e.otp = n.otp AND e.seq = n.seq`

const (
	receivedCallbacks = `DELETE FROM callbacks WHERE id = ANY ($1::bytea[])` // uses callbacks_id_idx
	// failedCallbacks has 0 for the time of those that are not tried again: they
	// become dead letters. uses callbacks_id_idx.
	failedCallbacks = `UPDATE callbacks c SET attempts = c.attempts + 1, lease_node = NULL, due_at = nullif(f.due_at, 0),
			dead_at = CASE WHEN f.due_at = 0 THEN $1::bigint ELSE c.dead_at END,
			last_status = f.status, last_problem = f.problem
		FROM unnest($2::bytea[], $3::bigint[], $4::int[], $5::text[]) AS f (id, due_at, status, problem)
		WHERE c.id = f.id`
	releaseCallbacks = `UPDATE callbacks SET due_at = least(due_at, $1), lease_node = NULL
		WHERE lease_node = $2 AND due_at IS NOT NULL` // uses callbacks_lease_idx
)

// posted are outcomes as the statements take them.
type posted struct {
	ids, notes [][]byte // of all

	received [][]byte

	failed   [][]byte
	due      []int64
	statuses []int
	problems []string
}

func (p *posted) add(o callback.Outcome, now time.Time) {
	id := column.EncodeID(o.ID)
	p.ids, p.notes = append(p.ids, id), append(p.notes, report.NotePush(report.Push{
		ConfigID: o.ConfigID, At: now, Latency: o.Latency, Received: o.Received, Status: o.Status, Problem: o.Problem,
	}))
	if o.Received {
		p.received = append(p.received, id)
		return
	}
	due := int64(0)
	if !o.RetryAt.IsZero() {
		due = column.Micros(o.RetryAt)
	}
	p.failed, p.due = append(p.failed, id), append(p.due, due)
	p.statuses, p.problems = append(p.statuses, o.Status), append(p.problems, o.Problem)
}

// RecordPosts implements callback.Store.
func (s *Store) RecordPosts(ctx context.Context, outcomes []callback.Outcome) error {
	return s.write(ctx, func(t *tx) error {
		var p posted
		for _, o := range outcomes {
			p.add(o, t.now)
		}
		t.put(byKeys)
		t.put(notePushes, p.ids, p.notes)
		if len(p.received) > 0 {
			t.put(receivedCallbacks, p.received)
		}
		if len(p.failed) > 0 {
			t.put(failedCallbacks, column.Micros(t.now), p.failed, p.due, p.statuses, p.problems)
		}
		return nil
	})
}

// ReleaseCallbacks implements callback.Store.
func (s *Store) ReleaseCallbacks(ctx context.Context, node string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(releaseCallbacks, column.Micros(t.now), node); err != nil {
			return fmt.Errorf("release callbacks: %w", err)
		}
		return nil
	})
}
