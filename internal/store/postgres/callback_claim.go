package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

// heldAgain is when to look again at configurations that another node was just
// claiming for: what was queued meanwhile it may not have seen. A claim is a
// few round trips.
const heldAgain = 10 * time.Millisecond

// selectDueConfigs lists the configurations that have something due, earliest
// first, with the number of their leases. Where no more than a few callbacks are
// due, it reads those, however many configurations wait for a retry. Where there
// are more, it steps from configuration to configuration, however much is queued
// for each. The row without a configuration has when the next one will be due.
// uses callbacks_due_idx, callbacks_lease_idx, and callbacks_waiting_idx: two
// seeks a configuration that has more than dead letters.
const selectDueConfigs = `WITH RECURSIVE few AS MATERIALIZED (
		SELECT account_id, config_id, due_at FROM callbacks
		WHERE due_at > 0 AND due_at <= $1 ORDER BY due_at LIMIT ` + registry.FewDue + `
	), head (account_id, config_id) AS (
		(SELECT account_id, config_id FROM callbacks
			WHERE due_at IS NOT NULL AND (SELECT count(*) FROM few) = ` + registry.FewDue + `
			ORDER BY account_id, config_id LIMIT 1)
		UNION ALL
		SELECT n.account_id, n.config_id FROM head h CROSS JOIN LATERAL (
			SELECT c.account_id, c.config_id FROM callbacks c
			WHERE (c.account_id, c.config_id) > (h.account_id, h.config_id) AND c.due_at IS NOT NULL
			ORDER BY c.account_id, c.config_id LIMIT 1) n
	), leased AS MATERIALIZED (` + selectLeased + `),
	due (account_id, config_id, due_at) AS (
		SELECT h.account_id, h.config_id, d.due_at
		FROM head h CROSS JOIN LATERAL (SELECT c.due_at FROM callbacks c
			WHERE c.account_id = h.account_id AND c.config_id = h.config_id AND c.due_at > 0
			ORDER BY c.due_at LIMIT 1) d
		WHERE d.due_at <= $1
		UNION ALL
		SELECT account_id, config_id, min(due_at) FROM few
		WHERE (SELECT count(*) FROM few) < ` + registry.FewDue + ` GROUP BY account_id, config_id
	)
	SELECT d.account_id, d.config_id, coalesce(l.n, 0), d.due_at
	FROM due d LEFT JOIN leased l ON l.account_id = d.account_id AND l.config_id = d.config_id
	UNION ALL
	SELECT 0, '', 0, coalesce(min(due_at), 0) FROM callbacks WHERE due_at > $1
	ORDER BY 4`

// selectLeased counts leases that have not ended: due_at is their end. uses
// callbacks_lease_idx, which has as many entries as are under way.
const selectLeased = `SELECT account_id, config_id, count(*) AS n FROM callbacks
		WHERE lease_node IS NOT NULL AND due_at > $1 GROUP BY account_id, config_id`

// holdConfigs locks configurations so that their places are counted by one node
// at a time, and passes over those that another node just claims for. uses
// callback_configs_id_key.
const holdConfigs = `SELECT k.place FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS k (account_id, id, place)
	CROSS JOIN LATERAL (SELECT 1 FROM callback_configs c
		WHERE c.account_id = k.account_id AND c.id = k.id FOR NO KEY UPDATE SKIP LOCKED) held
	ORDER BY k.place`

// claimCallbacks leases what is due and has room, in configurations that the
// transaction holds: it must be a statement after holdConfigs, for its snapshot
// has all that was leased before. due_at moves to the lease's end. What waits
// for an earlier event's first attempt is left out (W-08), and what another
// transaction is just changing. One of each configuration goes first, then a
// second of each, and so on.
//
// IS TRUE and LIMIT 1 say nothing but which index is not used and which is.
//
// $1 is the time, $2 to $4 are the configurations and how many places each has
// in all, $5 is how many to lease, $6 the lease's end and $7 the node. uses
// callbacks_lease_idx, callbacks_waiting_idx, callbacks_order_idx and the
// tables' keys.
const claimCallbacks = `WITH leased AS MATERIALIZED (` + selectLeased + `),
	due AS MATERIALIZED (
		SELECT c.account_id, c.seq, c.turn, k.place
		FROM unnest($2::bigint[], $3::text[], $4::int[]) WITH ORDINALITY AS k (account_id, id, places, place)
		LEFT JOIN leased l ON l.account_id = k.account_id AND l.config_id = k.id
		CROSS JOIN LATERAL (
			SELECT q.account_id, q.seq, row_number() OVER () AS turn FROM (
				SELECT c.account_id, c.seq FROM callbacks c
				WHERE c.account_id = k.account_id AND c.config_id = k.id AND c.due_at > 0 AND c.due_at <= $1
				AND (c.attempts > 0 OR NOT EXISTS (SELECT 1 FROM callbacks b
					WHERE b.account_id = c.account_id AND b.otp = c.otp AND b.config_id = c.config_id
					AND b.event_seq < c.event_seq AND b.attempts = 0))
				ORDER BY c.due_at LIMIT greatest(k.places - coalesce(l.n, 0), 0)) q) c
		ORDER BY c.turn, k.place LIMIT $5
	), taken AS MATERIALIZED (
		SELECT c.account_id, c.seq, d.turn, d.place
		FROM due d JOIN callbacks c ON c.account_id = d.account_id AND c.seq = d.seq
		WHERE (c.due_at > 0 AND c.due_at <= $1) IS TRUE
		FOR UPDATE OF c SKIP LOCKED
	), claimed AS (
		UPDATE callbacks c SET due_at = $6, lease_node = $7
		FROM taken t WHERE c.account_id = t.account_id AND c.seq = t.seq
		RETURNING c.account_id, c.id, c.config_id, c.otp, c.event_seq, c.attempts, t.turn, t.place
	)
	SELECT c.id, a.name, c.config_id, c.attempts, o.id, o.profile_id,
		k.url, k.headers, k.secret, k.previous_secret, k.previous_until,
		e.seq, e.at, e.kind, e.delivery, coalesce(e.channel, ''), coalesce(e.carrier, ''),
		e.failure_area, coalesce(e.failure_code, ''), coalesce(e.failure_text, '')
	FROM claimed c
	JOIN accounts a ON a.id = c.account_id
	CROSS JOIN LATERAL (SELECT * FROM callback_configs k
		WHERE k.account_id = c.account_id AND k.id = c.config_id LIMIT 1) k
	JOIN otps o ON o.account_id = c.account_id AND o.seq = c.otp
	JOIN events e ON e.account_id = c.account_id AND e.otp = c.otp AND e.seq = c.event_seq
	ORDER BY c.turn, c.place`

// dueConfig is a configuration that has something due.
type dueConfig struct {
	account int64
	id      string // "" for what is not due yet
	leased  int
	due     int64
}

func scanDueConfig(row scanner) (k dueConfig, err error) {
	err = row.Scan(&k.account, &k.id, &k.leased, &k.due)
	return k, err
}

// rooms are configurations and how many callbacks each may have leased.
type rooms struct {
	accounts []int64
	ids      []string
	places   []int
}

func (r *rooms) add(account int64, id string, places int) {
	r.accounts, r.ids, r.places = append(r.accounts, account), append(r.ids, id), append(r.places, places)
}

// roomy returns those of the due that have room, earliest first: so many that
// what is claimed gets its turn, however many there are. One without leases
// surely has something that waits for no other.
func roomy(due []dueConfig, c callback.Claim) (r rooms) {
	sure := 0
	for _, k := range due {
		if sure == c.Limit { // each gets one: no more can get any
			break
		}
		places := c.PerConfig
		if own, ok := c.Places[k.id]; ok {
			places = own
		}
		if k.id == "" || k.leased >= places {
			continue
		}
		if k.leased == 0 {
			sure++
		}
		r.add(k.account, k.id, places)
	}
	return r
}

// ClaimCallbacks implements callback.Store. However much it claims, it costs
// the same few round trips: a pusher does nothing else meanwhile.
func (s *Store) ClaimCallbacks(ctx context.Context, c callback.Claim) ([]callback.Post, time.Time, error) {
	// A read says where there is work, so that an idle pusher does not write and
	// a long queue holds nothing.
	due, err := registry.Collect(s.pooled(ctx), scanDueConfig, selectDueConfigs, column.Micros(s.Now()))
	if err != nil {
		return nil, time.Time{}, readError("read configurations with due callbacks", err)
	}
	var next int64
	for _, k := range due {
		if k.id == "" {
			next = k.due
		}
	}
	wanted := roomy(due, c)
	if len(wanted.ids) == 0 {
		return nil, column.FromMicros(next), nil
	}
	var posts []callback.Post
	var again int64
	err = s.write(ctx, func(t *tx) error {
		posts, again = posts[:0], 0
		t.put(byKeys)
		held, err := registry.Collect(t.query, registry.ScanInt, holdConfigs, wanted.accounts, wanted.ids)
		if err != nil {
			return fmt.Errorf("hold callback configurations: %w", err)
		}
		if len(held) < len(wanted.ids) {
			again = column.Micros(t.now.Add(heldAgain))
		}
		if len(held) == 0 {
			return nil
		}
		var ours rooms
		for _, place := range held {
			ours.add(wanted.accounts[place-1], wanted.ids[place-1], wanted.places[place-1])
		}
		t.later.Queue(claimCallbacks, column.Micros(t.now), ours.accounts, ours.ids, ours.places, c.Limit,
			column.Micros(t.now.Add(c.Lease)), c.Node).Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(row scanner) error {
				p, err := scanPost(row)
				posts = append(posts, p)
				return err
			})
		})
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return posts, earliest(next, again), nil
}

// scanPost reads a row of claimCallbacks.
func scanPost(row scanner) (p callback.Post, err error) {
	var id, otpID, profileID []byte
	var until int64
	var e eventScan
	err = row.Scan(append([]any{
		&id, &p.Account, &p.ConfigID, &p.Attempts, &otpID, &profileID,
		&p.URL, &p.Headers, &p.Secret, &p.Previous, &until,
	}, e.dest()...)...)
	if err != nil {
		return p, err
	}
	p.ID, p.OTPID, p.ProfileID = column.DecodeID(id), column.DecodeID(otpID), column.DecodeID(profileID)
	p.Event, p.PreviousUntil = e.event(), column.FromMicros(until)
	return p, nil
}
