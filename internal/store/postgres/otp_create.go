package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/verify"
)

// send is a CreateOTP on its way through a lane.
type send struct {
	work
	accountID int64
	id        []byte
	otp       verify.NewOTP
	plan      string
	country   string
	dedupe    uuid.UUID
	tries     int // groups it was in
	rec       verify.Record
}

func sameSends(a, b *send) bool {
	return slices.Equal(a.otp.Rules.Sends, b.otp.Rules.Sends)
}

// laneKey is what two pieces of work share that must not be in one group.
func laneKey(accountID int64, id []byte) string {
	return strconv.FormatInt(accountID, 36) + " " + string(id)
}

// CreateOTP implements verify.Store.
func (s *Store) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	accountID, err := s.accountID(ctx, n.Account)
	if err != nil {
		return verify.Record{}, err
	}
	plan, err := json.Marshal(n.Plan)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write plan: %w", err)
	}
	dedupe, err := uuid.Parse(n.Dedupe)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	job := &send{accountID: accountID, id: encodeID(n.ID), otp: n, plan: string(plan), country: s.countries.Of(n.Recipient), dedupe: dedupe}
	if !n.Idempotency.IsZero() {
		return s.createOnce(ctx, job)
	}
	// What limits remember of a recipient is changed once in a group.
	job.key = laneKey(accountID, job.id)
	if n.Limited {
		job.key, job.also = laneKey(accountID, n.RecipientKey[:]), job.key
	}
	if err := s.sends.submit(ctx, job); err != nil {
		return verify.Record{}, err
	}
	s.clock.expects(job.rec.Expires)
	return job.rec, nil
}

// createOTPs admits and writes a group's sends in one statement. What limits
// remember is locked, asked and changed by one upsert, in the order of its
// keys; a row that the limits refuse is not returned by it. The caller runs the
// rules themselves on what was there before to tell a refusal. Where limits
// apply but count no sends, the row is made all the same, so that checks find
// one to lock. uses tallies_pkey, otps_id_key.
const createOTPs = `WITH clock AS MATERIALIZED (SELECT ` + nowSQL + ` AS now),
	input AS MATERIALIZED (
		SELECT i.*, nextval('otps_seq_seq') AS seq FROM unnest($3::int[], $4::bigint[], $5::bytea[], $6::text[], $7::int[], $8::smallint[], $9::int[],
			$10::boolean[], $11::boolean[], $12::boolean[], $13::bigint[], $14::bigint[], $15::bytea[], $16::text[], $17::bytea[],
			$18::bytea[], $19::bytea[], $20::text[], $21::text[], $22::bytea[], $23::bytea[], $24::int[], $29::text[])
		AS i (n, account_id, id, origin, allowed, form, code_length, bound, resendable, limited, life, key_id, digest, recipient,
			recipient_key, profile_id, application_id, reference, plan, dedupe, sealed, next_step, country)
	),
	admitted AS (
		INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at)
		SELECT i.account_id, i.recipient_key, CASE WHEN $27::int > 0 THEN ARRAY[c.now] ELSE '{}' END, '{}', 0, c.now
		FROM input i CROSS JOIN clock c
		WHERE i.limited AND NOT EXISTS (SELECT 1 FROM otps o WHERE o.account_id = i.account_id AND o.id = i.id)
		ORDER BY i.account_id, i.recipient_key
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET updated_at = excluded.updated_at,
			sends = ARRAY(SELECT s.at FROM unnest(tallies.sends || excluded.sends) WITH ORDINALITY AS s (at, n)
				WHERE s.n > cardinality(tallies.sends) + 1 - $27 AND excluded.updated_at - s.at < $28::bigint ORDER BY s.n)
			WHERE $27 > 0 AND NOT EXISTS (SELECT 1 FROM unnest($25::int[], $26::bigint[]) AS w (most, per)
				WHERE cardinality(tallies.sends) >= most AND tallies.sends[cardinality(tallies.sends) - most + 1] + per > excluded.updated_at)
		RETURNING int8send(account_id) || recipient_key AS recipient
	),
	fresh AS (
		INSERT INTO otps (account_id, seq, id, origin, state, allowed, form, code_length, bound, resendable, limited, created_at, expires_at,
			life, key_id, digest, recipient, recipient_key, profile_id, application_id, reference, plan, country)
		SELECT i.account_id, i.seq, i.id, i.origin, 1, i.allowed, i.form, i.code_length, i.bound, i.resendable, i.limited,
			c.now / 1000 * 1000, c.now / 1000 * 1000 + i.life, i.life, i.key_id, i.digest, i.recipient, i.recipient_key,
			i.profile_id, i.application_id, nullif(i.reference, ''), i.plan, nullif(i.country, '')
		FROM input i CROSS JOIN clock c
		WHERE NOT i.limited OR $27 = 0 OR int8send(i.account_id) || i.recipient_key = ANY (ARRAY(SELECT recipient FROM admitted))
		ORDER BY i.account_id, i.id
		ON CONFLICT (account_id, id) DO NOTHING
		RETURNING seq
	),
	queued AS (
		INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, due_at, dedupe, sealed)
		SELECT i.account_id, i.seq, 1, 1, 0, i.next_step, c.now, c.now, i.dedupe, i.sealed
		FROM input i CROSS JOIN clock c WHERE i.seq = ANY (ARRAY(SELECT seq FROM fresh))
	),
	outcome AS MATERIALIZED (
		SELECT i.*, i.seq = ANY (ARRAY(SELECT seq FROM fresh)) AS written FROM input i
	)
	SELECT u.n, c.now, u.written,
		NOT u.written AND (SELECT o.seq FROM otps o WHERE o.account_id = u.account_id AND o.id = u.id) IS NOT NULL,
		CASE WHEN NOT u.written AND u.limited THEN
			(SELECT t.sends FROM tallies t WHERE t.account_id = u.account_id AND t.recipient_key = u.recipient_key) END
	FROM outcome u CROSS JOIN clock c`

// sendColumns are the arguments of createOTPs by column.
type sendColumns struct {
	n, allowed, lengths, next                                           []int
	accounts, lives, keys                                               []int64
	ids, digests, recipientKeys, profiles, applications, dedupe, sealed [][]byte
	origins, recipients, references, plans, countries                   []string
	forms                                                               []int16
	bound, resendable, limited                                          []bool
}

func (c *sendColumns) add(i int, job *send) {
	n := &job.otp
	c.n, c.accounts, c.ids = append(c.n, i), append(c.accounts, job.accountID), append(c.ids, job.id)
	c.origins, c.allowed = append(c.origins, n.Origin), append(c.allowed, n.Allowed)
	c.forms, c.lengths = append(c.forms, int16(n.Rule.Form)), append(c.lengths, n.Rule.Length)
	c.bound, c.resendable, c.limited = append(c.bound, n.Rule.Bound), append(c.resendable, n.Resendable), append(c.limited, n.Limited)
	c.lives, c.keys = append(c.lives, n.Life.Microseconds()), append(c.keys, int64(n.Key))
	c.digests, c.recipients = append(c.digests, n.Digest[:]), append(c.recipients, n.Recipient.Reveal())
	c.recipientKeys = append(c.recipientKeys, n.RecipientKey[:])
	c.profiles, c.applications = append(c.profiles, optionalID(n.ProfileID)), append(c.applications, optionalID(n.ApplicationID))
	c.references, c.plans = append(c.references, n.Reference), append(c.plans, job.plan)
	c.countries = append(c.countries, job.country)
	c.dedupe, c.sealed, c.next = append(c.dedupe, job.dedupe[:]), append(c.sealed, n.Sealed), append(c.next, nextOf(n))
}

// nextOf is the step after a plan's first.
func nextOf(n *verify.NewOTP) int {
	if len(n.Plan.Steps) > 1 {
		return 1
	}
	return -1
}

// sendRow is what createOTPs tells of one send.
type sendRow struct {
	n              int
	now            int64
	written, taken bool
	sends          []int64 // before
}

// flushSends writes a group's sends. It returns those whose limits were changed
// by another node meanwhile, so that why they were refused is not known.
func (s *Store) flushSends(group []*send) (again []*send) {
	start := started()
	var c sendColumns
	for i, job := range group {
		c.add(i, job)
	}
	most, per, keep, span := windows(group[0].otp.Rules.Sends)
	var rows []sendRow
	err := s.group(func(b *pgx.Batch) {
		rows = rows[:0]
		wall, floor := s.clock.args()
		b.Queue(createOTPs, wall, floor, c.n, c.accounts, c.ids, c.origins, c.allowed, c.forms, c.lengths, c.bound, c.resendable, c.limited,
			c.lives, c.keys, c.digests, c.recipients, c.recipientKeys, c.profiles, c.applications, c.references, c.plans, c.dedupe, c.sealed, c.next,
			most, per, keep, span, c.countries).Query(func(r pgx.Rows) error {
			return eachRow(r, func(row scanner) error {
				var w sendRow
				err := row.Scan(&w.n, &w.now, &w.written, &w.taken, &w.sends)
				rows = append(rows, w)
				return err //nolint:wrapcheck // group says what it was doing
			})
		})
	})
	if err != nil {
		finish(group, err)
		return nil
	}
	for _, row := range rows {
		job := group[row.n]
		now := fromMicros(row.now)
		s.clock.observe(row.now)
		g := guard.Tally{Sends: fromAll(row.sends)}
		switch refused := job.otp.Rules.AdmitSend(&g, 0, now); {
		case row.written:
			job.rec, job.err = job.record(now), nil
		case row.taken || !job.otp.Limited:
			job.err = verify.ErrIDTaken
		case refused == nil && job.tries < maxTries:
			job.tries++
			again = append(again, job)
		case refused == nil:
			job.err = fmt.Errorf("count a send: %w: other nodes change the recipient's limits", verify.ErrOverloaded)
		default:
			job.err = &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
		}
	}
	s.committed(len(group), start)
	return again
}

// record is the OTP as it was written at now.
func (j *send) record(now time.Time) verify.Record {
	n := &j.otp
	created := now.Truncate(time.Millisecond) // as every API shows it
	return verify.Record{
		Ref: n.Ref, Recipient: n.Recipient, Reference: n.Reference,
		ProfileID: n.ProfileID, ApplicationID: n.ApplicationID, Life: n.Life,
		OTP: otp.OTP{
			State: otp.Active, Allowed: n.Allowed, Created: created, Expires: created.Add(n.Life),
			Rule: n.Rule, Key: n.Key, Digest: n.Digest,
		},
	}
}

const insertOTP = `INSERT INTO otps (account_id, id, origin, state, allowed, form, code_length, bound, resendable, limited,
	created_at, expires_at, life, key_id, digest, recipient, recipient_key, profile_id, application_id, reference, plan, country)
	VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
	ON CONFLICT (account_id, id) DO NOTHING RETURNING seq`

const insertDelivery = `INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, due_at, dedupe, sender, sealed)
	VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $9, $10)`

// createOnce is CreateOTP with an answer to repeat.
func (s *Store) createOnce(ctx context.Context, job *send) (verify.Record, error) {
	n := &job.otp
	var rec verify.Record
	err := s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		t.only(job.accountID)
		if found, err := t.repeat(job.accountID, n.Idempotency, &rec); found || err != nil {
			return err
		}
		if n.Limited && n.Rules.LimitsSends() {
			if err := t.admitSend(job.accountID, n.RecipientKey[:], n.Rules, 0); err != nil {
				return err
			}
		}
		rec = job.record(t.now)
		seq, ok, err := first(t.query, scanInt, insertOTP, job.accountID, job.id, n.Origin, n.Allowed,
			int16(n.Rule.Form), n.Rule.Length, n.Rule.Bound, n.Resendable, n.Limited,
			micros(rec.Created), micros(rec.Expires), n.Life.Microseconds(), int64(n.Key), n.Digest[:],
			n.Recipient.Reveal(), n.RecipientKey[:], optionalID(n.ProfileID), optionalID(n.ApplicationID),
			optionalText(n.Reference), job.plan, optionalText(job.country))
		if err != nil {
			return fmt.Errorf("write otp: %w", err)
		}
		if !ok {
			return verify.ErrIDTaken
		}
		t.put(insertDelivery, job.accountID, seq, 1, 0, nextOf(n), micros(t.now), micros(t.now), job.dedupe[:], nil, n.Sealed)
		return t.remember(job.accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	s.clock.expects(rec.Expires)
	return rec, nil
}
