package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

// uses callbacks_due_idx.
const selectNextCallback = `SELECT coalesce(min(due_at), 0) FROM callbacks WHERE due_at > ?`

// selectDueConfigs lists the configurations that have something due, earliest
// first. Where no more than a few callbacks are due, it reads those, however
// many configurations wait for a retry. Where there are more, it steps from
// configuration to configuration, however much is queued for each.
// uses callbacks_due_idx, and callbacks_waiting_idx: one seek a configuration
// that has more than dead letters. A comparison of rows, (account_id, config_id)
// > (…), would use the index for account_id only.
const selectDueConfigs = `WITH RECURSIVE few AS MATERIALIZED (
		SELECT account_id, config_id, due_at FROM callbacks INDEXED BY callbacks_due_idx
		WHERE due_at > 0 AND due_at <= ?1 ORDER BY due_at LIMIT ` + registry.FewDue + `
	), head (seq) AS (
		SELECT (SELECT seq FROM callbacks INDEXED BY callbacks_waiting_idx
			WHERE due_at IS NOT NULL ORDER BY account_id, config_id LIMIT 1)
		WHERE (SELECT count(*) FROM few) = ` + registry.FewDue + `
		UNION ALL
		SELECT coalesce(
			(SELECT n.seq FROM callbacks n INDEXED BY callbacks_waiting_idx
				WHERE n.account_id = h.account_id AND n.config_id > h.config_id AND n.due_at IS NOT NULL
				ORDER BY n.config_id LIMIT 1),
			(SELECT n.seq FROM callbacks n INDEXED BY callbacks_waiting_idx
				WHERE n.account_id > h.account_id AND n.due_at IS NOT NULL
				ORDER BY n.account_id, n.config_id LIMIT 1))
		FROM head JOIN callbacks h ON h.seq = head.seq
	)
	SELECT account_id, config_id FROM (
		SELECT h.account_id, h.config_id, (SELECT min(c.due_at) FROM callbacks c INDEXED BY callbacks_waiting_idx
			WHERE c.account_id = h.account_id AND c.config_id = h.config_id AND c.due_at > 0) AS due
		FROM head JOIN callbacks h ON h.seq = head.seq
		UNION ALL
		SELECT account_id, config_id, min(due_at) FROM few
		WHERE (SELECT count(*) FROM few) < ` + registry.FewDue + ` GROUP BY account_id, config_id)
	WHERE due <= ?1 ORDER BY due`

// selectLeased counts leases that have not ended: due_at is their end.
const selectLeased = `SELECT account_id, config_id, count(*) FROM callbacks INDEXED BY callbacks_lease_idx
	WHERE lease_node IS NOT NULL AND due_at > ? GROUP BY account_id, config_id`

// selectClaimable leaves out what waits for an earlier event's first attempt
// (W-08). uses callbacks_waiting_idx, callbacks_order_idx.
const selectClaimable = `SELECT c.seq FROM callbacks c INDEXED BY callbacks_waiting_idx
	WHERE c.account_id = ? AND c.config_id = ? AND c.due_at > 0 AND c.due_at <= ?
	AND (c.attempts > 0 OR NOT EXISTS (SELECT 1 FROM callbacks b
		WHERE b.account_id = c.account_id AND b.otp = c.otp AND b.config_id = c.config_id
		AND b.event_seq < c.event_seq AND b.attempts = 0))
	ORDER BY c.due_at, c.seq LIMIT ?`

// uses the tables' keys.
const selectPost = `SELECT c.id, c.account_id, c.config_id, c.attempts, o.id, o.profile_id,
		e.seq, e.at, e.kind, e.delivery, coalesce(e.channel, ''), coalesce(e.carrier, ''),
		e.failure_area, coalesce(e.failure_code, ''), coalesce(e.failure_text, ''),
		k.url, k.headers, k.secret, k.previous_secret, k.previous_until
	FROM callbacks c
	JOIN callback_configs k ON k.account_id = c.account_id AND k.id = c.config_id
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq
	WHERE c.seq = ?`

const leaseCallback = `UPDATE callbacks SET due_at = ?, lease_node = ? WHERE seq = ?`

// configKey names a configuration.
type configKey struct {
	account int64
	id      string
}

// ClaimCallbacks implements callback.Store.
func (s *Store) ClaimCallbacks(ctx context.Context, c callback.Claim) ([]callback.Post, time.Time, error) {
	// The readers say where there is work, so that an idle pusher does not
	// write and a long queue does not hold the writer.
	now := column.Micros(s.clock.Now())
	var next int64
	if err := s.read.QueryRowContext(ctx, selectNextCallback, 0).Scan(&next); err != nil {
		return nil, time.Time{}, s.readError("read next due callback", err)
	}
	if next == 0 || next > now {
		return nil, column.FromMicros(next), nil
	}
	configs, err := registry.Collect(s.pooled(ctx), scanConfigKey, selectDueConfigs, now)
	if err != nil {
		return nil, time.Time{}, s.readError("read configurations with due callbacks", err)
	}
	var posts []callback.Post
	err = s.writeUrgent(ctx, func(t *tx) error {
		posts = posts[:0]
		if err := t.row(selectNextCallback, column.Micros(t.now)).Scan(&next); err != nil {
			return fmt.Errorf("read next due callback: %w", err)
		}
		seqs, err := t.claimable(c, configs)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			p, err := s.scanPost(t, t.row(selectPost, seq))
			if err != nil {
				return fmt.Errorf("read callback: %w", err)
			}
			posts = append(posts, p)
			if _, err := t.exec(leaseCallback, column.Micros(t.now.Add(c.Lease)), c.Node, seq); err != nil {
				return fmt.Errorf("lease callback: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return posts, column.FromMicros(next), nil
}

// claimable returns what to lease: one of each configuration that has
// something due and room for it, then a second of each, and so on.
func (t *tx) claimable(c callback.Claim, configs []configKey) ([]int64, error) {
	leased, err := t.leasedCallbacks()
	if err != nil {
		return nil, err
	}
	var queues [][]int64
	for _, k := range configs {
		if len(queues) == c.Limit { // each gets one: no more can get any
			break
		}
		room := c.PerConfig
		if places, ok := c.Places[k.id]; ok {
			room = places
		}
		if room -= leased[k]; room <= 0 {
			continue
		}
		queue, err := registry.Collect(t.query, registry.ScanInt, selectClaimable, k.account, k.id, column.Micros(t.now), min(room, c.Limit))
		if err != nil {
			return nil, fmt.Errorf("read due callbacks: %w", err)
		}
		if len(queue) > 0 {
			queues = append(queues, queue)
		}
	}
	return takeTurns(queues, c.Limit), nil
}

// takeTurns takes up to limit from the queues' heads: one of each, then a
// second of each, and so on.
func takeTurns(queues [][]int64, limit int) []int64 {
	var taken []int64
	for turn := 0; ; turn++ {
		some := false
		for _, q := range queues {
			if turn >= len(q) {
				continue
			}
			if len(taken) == limit {
				return taken
			}
			taken, some = append(taken, q[turn]), true
		}
		if !some {
			return taken
		}
	}
}

func scanConfigKey(rows rower) (k configKey, err error) {
	err = rows.Scan(&k.account, &k.id)
	return k, err
}

func (t *tx) leasedCallbacks() (map[configKey]int, error) {
	type count struct {
		configKey
		n int
	}
	counts, err := registry.Collect(t.query, func(rows rower) (c count, err error) {
		err = rows.Scan(&c.account, &c.id, &c.n)
		return c, err
	}, selectLeased, column.Micros(t.now))
	if err != nil {
		return nil, fmt.Errorf("count leased callbacks: %w", err)
	}
	leased := make(map[configKey]int, len(counts))
	for _, c := range counts {
		leased[c.configKey] = c.n
	}
	return leased, nil
}

// scanPost reads selectPost.
func (s *Store) scanPost(t *tx, from rower) (p callback.Post, err error) {
	var id, otpID, profileID []byte
	var accountID, at, until int64
	var kind uint8
	var area sql.NullString
	var f otp.Failure
	err = from.Scan(&id, &accountID, &p.ConfigID, &p.Attempts, &otpID, &profileID,
		&p.Event.Seq, &at, &kind, &p.Event.Delivery, &p.Event.Channel, &p.Event.Carrier,
		&area, &f.Code, &f.Text,
		&p.URL, &p.Headers, &p.Secret, &p.Previous, &until)
	if err != nil {
		return p, err
	}
	p.ID, p.OTPID, p.ProfileID = column.DecodeID(id), column.DecodeID(otpID), column.DecodeID(profileID)
	p.Event.At, p.Event.Kind, p.PreviousUntil = column.FromMicros(at), otp.EventKind(kind), column.FromMicros(until)
	if area.Valid {
		f.Area = area.String
		p.Event.Failure = &f
	}
	p.Account, err = s.AccountName(t.query, accountID)
	return p, err
}
