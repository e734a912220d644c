package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/callback"
)

// uses callbacks_due_idx.
const selectNextCallback = `SELECT coalesce(min(due_at), 0) FROM callbacks WHERE due_at > $1`

// selectDueConfigs steps from configuration to configuration, however much is
// queued for each, and keeps those that have something due, earliest first.
// uses callbacks_config_idx: two seeks a configuration.
const selectDueConfigs = `WITH RECURSIVE head (account_id, config_id) AS (
		(SELECT account_id, config_id FROM callbacks ORDER BY account_id, config_id LIMIT 1)
		UNION ALL
		SELECT n.account_id, n.config_id FROM head h CROSS JOIN LATERAL (
			SELECT c.account_id, c.config_id FROM callbacks c
			WHERE (c.account_id, c.config_id) > (h.account_id, h.config_id)
			ORDER BY c.account_id, c.config_id LIMIT 1) n
	)
	SELECT account_id, config_id FROM (
		SELECT h.account_id, h.config_id, (SELECT min(c.due_at) FROM callbacks c
			WHERE c.account_id = h.account_id AND c.config_id = h.config_id AND c.due_at > 0) AS due
		FROM head h) due
	WHERE due <= $1 ORDER BY due`

const (
	// A configuration that another node just claims for is passed over, so that
	// places are counted by one node at a time. uses callback_configs_id_key.
	holdConfig = `SELECT 1 FROM callback_configs WHERE account_id = $1 AND id = $2 FOR NO KEY UPDATE SKIP LOCKED`

	// countLeased counts leases that have not ended: due_at is their end. uses
	// callbacks_config_idx.
	countLeased = `SELECT count(*) FROM callbacks
		WHERE account_id = $1 AND config_id = $2 AND lease_node IS NOT NULL AND due_at > $3`

	// selectClaimable leaves out what waits for an earlier event's first attempt
	// (W-08). uses callbacks_config_idx, callbacks_order_idx.
	selectClaimable = `SELECT c.seq FROM callbacks c
		WHERE c.account_id = $1 AND c.config_id = $2 AND c.due_at > 0 AND c.due_at <= $3
		AND (c.attempts > 0 OR NOT EXISTS (SELECT 1 FROM callbacks b
			WHERE b.account_id = c.account_id AND b.otp = c.otp AND b.config_id = c.config_id
			AND b.event_seq < c.event_seq AND b.attempts = 0))
		ORDER BY c.due_at, c.seq LIMIT $4 FOR UPDATE OF c SKIP LOCKED`
)

// uses the tables' keys.
const selectPost = `SELECT c.id, c.account_id, c.config_id, c.attempts, o.id, o.profile_id,
		k.url, k.headers, k.secret, k.previous_secret, k.previous_until,
		e.seq, e.at, e.kind, e.delivery, coalesce(e.channel, ''), coalesce(e.carrier, ''),
		e.failure_area, coalesce(e.failure_code, ''), coalesce(e.failure_text, '')
	FROM callbacks c
	JOIN callback_configs k ON k.account_id = c.account_id AND k.id = c.config_id
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq
	WHERE c.account_id = $1 AND c.seq = $2`

const leaseCallback = `UPDATE callbacks SET due_at = $1, lease_node = $2 WHERE account_id = $3 AND seq = $4`

// configKey names a configuration.
type configKey struct {
	account int64
	id      string
}

// callbackKey names a callback inside the database.
type callbackKey struct{ account, seq int64 }

// ClaimCallbacks implements callback.Store.
func (s *Store) ClaimCallbacks(ctx context.Context, c callback.Claim) ([]callback.Post, time.Time, error) {
	// Reads say where there is work, so that an idle pusher does not write and
	// a long queue holds nothing.
	now := micros(s.Now())
	next, _, err := first(s.pooled(ctx), scanInt, selectNextCallback, 0)
	if err != nil {
		return nil, time.Time{}, readError("read next due callback", err)
	}
	if next == 0 || next > now {
		return nil, fromMicros(next), nil
	}
	configs, err := collect(s.pooled(ctx), scanConfigKey, selectDueConfigs, now)
	if err != nil {
		return nil, time.Time{}, readError("read configurations with due callbacks", err)
	}
	var posts []callback.Post
	err = s.write(ctx, func(t *tx) error {
		posts = posts[:0]
		var err error
		if next, _, err = first(t.query, scanInt, selectNextCallback, micros(t.now)); err != nil {
			return fmt.Errorf("read next due callback: %w", err)
		}
		keys, err := t.claimable(c, configs)
		if err != nil {
			return err
		}
		for _, k := range keys {
			p, err := t.post(k)
			if errors.Is(err, pgx.ErrNoRows) {
				continue // its OTP is just being deleted
			}
			if err != nil {
				return fmt.Errorf("read callback: %w", err)
			}
			posts = append(posts, p)
			t.put(leaseCallback, micros(t.now.Add(c.Lease)), c.Node, k.account, k.seq)
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return posts, fromMicros(next), nil
}

// claimable returns what to lease: one of each configuration that has
// something due and room for it, then a second of each, and so on.
func (t *tx) claimable(c callback.Claim, configs []configKey) ([]callbackKey, error) {
	var queues [][]callbackKey
	for _, k := range configs {
		if len(queues) == c.Limit { // each gets one: no more can get any
			break
		}
		room := c.PerConfig
		if narrow, ok := c.Narrow[k.id]; ok {
			room = min(room, narrow)
		}
		if room <= 0 {
			continue
		}
		held, err := exists(t.query, holdConfig, k.account, k.id)
		if err != nil {
			return nil, fmt.Errorf("hold a callback configuration: %w", err)
		}
		if !held {
			continue
		}
		leased, _, err := first(t.query, scanInt, countLeased, k.account, k.id, micros(t.now))
		if err != nil {
			return nil, fmt.Errorf("count leased callbacks: %w", err)
		}
		if room -= int(leased); room <= 0 {
			continue
		}
		queue, err := collect(t.query, func(row scanner) (callbackKey, error) {
			seq, err := scanInt(row)
			return callbackKey{k.account, seq}, err
		}, selectClaimable, k.account, k.id, micros(t.now), min(room, c.Limit))
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
func takeTurns[T any](queues [][]T, limit int) []T {
	var taken []T
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

func scanConfigKey(row scanner) (k configKey, err error) {
	err = row.Scan(&k.account, &k.id)
	return k, err //nolint:wrapcheck // the caller says what it was doing
}

// post reads what is to be posted; pgx.ErrNoRows if it is no more.
func (t *tx) post(k callbackKey) (p callback.Post, err error) {
	var id, otpID, profileID []byte
	var accountID, until int64
	var e eventScan
	err = t.row(selectPost, k.account, k.seq).Scan(append([]any{
		&id, &accountID, &p.ConfigID, &p.Attempts, &otpID, &profileID,
		&p.URL, &p.Headers, &p.Secret, &p.Previous, &until,
	}, e.dest()...)...)
	if err != nil {
		return p, err //nolint:wrapcheck // the caller says what it was doing
	}
	p.ID, p.OTPID, p.ProfileID = decodeID(id), decodeID(otpID), decodeOptionalID(profileID)
	p.Event, p.PreviousUntil = e.event(), fromMicros(until)
	p.Account, err = t.store.accountName(t.query, accountID)
	return p, err
}
