package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
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
	written   bool
	rec       verify.Record
}

func sameSends(a, b *send) bool {
	return slices.Equal(a.otp.Rules.Sends, b.otp.Rules.Sends) && slices.Equal(a.otp.Rules.Calls, b.otp.Rules.Calls)
}

// asSend is the OTP's first send as limits see it.
func (j *send) asSend() guard.Send { return verify.SendOf(j.otp.Plan.Steps[0].Channel, 0) }

// laneKey is what two pieces of work share that must not be in one group.
func laneKey(accountID int64, id []byte) string {
	return strconv.FormatInt(accountID, 36) + " " + string(id)
}

// CreateOTP implements verify.Store.
func (s *Store) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, n.Account)
	if err != nil {
		return verify.Record{}, err
	}
	plan := n.Plan.Encoded()
	dedupe, err := uuid.Parse(n.Dedupe)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	job := &send{accountID: accountID, id: column.EncodeID(n.ID), otp: n, plan: string(plan), country: s.countries.Of(n.Recipient), dedupe: dedupe}
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
	s.clock.mark.Expects(job.rec.Expires)
	return job.rec, nil
}

// createOTPs admits and writes a group's sends in one statement and returns
// those that were written. What limits remember is asked and changed by one
// upsert, which locks it, in the order of the input; a row that the limits
// refuse is not returned by it. Where limits apply but count no sends, the row
// is made all the same, so that checks find one to lock. uses tallies_pkey.
const createOTPs = `WITH clock AS MATERIALIZED (SELECT ` + nowSQL + ` AS now),
	input AS MATERIALIZED (
		SELECT i.*, c.now, nextval('otps_seq_seq') AS seq FROM clock c CROSS JOIN unnest($3::send_input[]) i
	),
	admitted AS (
		INSERT INTO tallies (account_id, recipient_key, sends, calls, failures, consecutive, updated_at)
		SELECT i.account_id, i.recipient_key, CASE WHEN $6::int > 0 THEN ARRAY[i.now] ELSE '{}' END,
			CASE WHEN i.n = ANY ($8::int[]) THEN ARRAY[i.now] END, '{}', 0, i.now
		FROM input i WHERE i.limited
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET updated_at = excluded.updated_at,
			sends = ARRAY(SELECT s.at FROM unnest(tallies.sends || excluded.sends) WITH ORDINALITY AS s (at, n)
				WHERE s.n > cardinality(tallies.sends) + 1 - $6 AND excluded.updated_at - s.at < $7::bigint ORDER BY s.n),
			calls = CASE WHEN excluded.calls IS NULL THEN tallies.calls
				ELSE ARRAY(SELECT c.at FROM unnest(tallies.calls || excluded.calls) WITH ORDINALITY AS c (at, n)
					WHERE c.n > coalesce(cardinality(tallies.calls), 0) + 1 - $11::int AND excluded.updated_at - c.at < $12::bigint ORDER BY c.n) END
			WHERE $6 > 0 AND NOT EXISTS (SELECT 1 FROM unnest($4::int[], $5::bigint[]) AS w (most, per)
				WHERE cardinality(tallies.sends) >= most AND tallies.sends[cardinality(tallies.sends) - most + 1] + per > excluded.updated_at)
				AND (excluded.calls IS NULL OR NOT EXISTS (SELECT 1 FROM unnest($9::int[], $10::bigint[]) AS w (most, per)
					WHERE cardinality(tallies.calls) >= most AND tallies.calls[cardinality(tallies.calls) - most + 1] + per > excluded.updated_at))
		RETURNING int8send(account_id) || recipient_key AS recipient
	),
	fresh AS (
		INSERT INTO otps (account_id, seq, id, origin, state, allowed, form, code_length, bound, resendable, limited, created_at, expires_at,
			life, key_id, digest, recipient, recipient_key, profile_id, application_id, reference, plan, country)
		SELECT i.account_id, i.seq, i.id, i.origin, 1, i.allowed, i.form, i.code_length, i.bound, i.resendable, i.limited,
			i.now / 1000 * 1000, i.now / 1000 * 1000 + i.life, i.life, i.key_id, i.digest, i.recipient, i.recipient_key,
			i.profile_id, i.application_id, i.reference, i.plan, i.country
		FROM input i
		WHERE NOT i.limited OR $6 = 0 OR int8send(i.account_id) || i.recipient_key = ANY (ARRAY(SELECT recipient FROM admitted))
		RETURNING seq
	),
	written AS MATERIALIZED (
		SELECT i.n, i.account_id, i.seq, i.next_step, i.now, i.dedupe, i.sealed FROM input i WHERE i.seq = ANY (ARRAY(SELECT seq FROM fresh))
	),
	queued AS (
		INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, due_at, dedupe, sealed)
		SELECT w.account_id, w.seq, 1, 1, 0, w.next_step, w.now, w.now, w.dedupe, w.sealed FROM written w
	)
	SELECT w.n, w.now FROM written w`

// readTallies tells when those recipients were sent to whose sends createOTPs
// did not write, and the time. uses tallies_pkey.
const readTallies = `SELECT i.n, ` + nowSQL + `, t.sends, t.calls FROM unnest($3::int[], $4::bigint[], $5::bytea[]) AS i (n, account_id, recipient_key)
	JOIN tallies t ON t.account_id = i.account_id AND t.recipient_key = i.recipient_key`

// writeSends writes a group as createOTPs reads it (send_input).
func writeSends(in input, group []*send) {
	for i, job := range group {
		n := &job.otp
		in.row()
		in.int4(i)
		in.int8(job.accountID)
		in.bytes(job.id)
		in.string(n.Origin)
		in.int4(n.Allowed)
		in.int2(int(n.Rule.Form))
		in.int4(n.Rule.Length)
		in.bool(n.Rule.Bound)
		in.bool(n.Resendable)
		in.bool(n.Limited)
		in.int8(n.Life.Microseconds())
		in.int8(int64(n.Key))
		in.bytes(n.Digest[:])
		in.string(n.Recipient.Reveal())
		in.bytes(n.RecipientKey[:])
		in.bytes(column.OptionalID(n.ProfileID))
		in.bytes(column.OptionalID(n.ApplicationID))
		in.optional(n.Reference)
		in.string(job.plan)
		in.optional(job.country)
		in.bytes(job.dedupe[:])
		in.bytes(n.Sealed)
		in.int4(nextOf(n))
	}
}

// nextOf is the step after a plan's first.
func nextOf(n *verify.NewOTP) int {
	if len(n.Plan.Steps) > 1 {
		return 1
	}
	return -1
}

// flushSends writes a group's sends. It returns those whose limits were changed
// by another node meanwhile, so that why they were refused is not known.
func (s *Store) flushSends(group []*send) (again []*send) {
	start := started()
	slices.SortFunc(group, func(a, b *send) int {
		return tallyOrder(a.accountID, a.otp.RecipientKey[:], b.accountID, b.otp.RecipientKey[:])
	})
	rules := group[0].otp.Rules
	most, per, keep, span := windows(rules.Sends)
	mostCalls, perCalls, keepCalls, spanCalls := windows(rules.Calls)
	calls := []int{}
	for i, job := range group {
		if rules.CountsCall(job.asSend()) {
			calls = append(calls, i)
		}
	}
	var written [][2]int64
	err := s.group(func(b *pgx.Batch) {
		written = written[:0]
		in := newInput(s.inputs.Load().send)
		writeSends(in, group)
		wall, floor := s.clock.args()
		b.Queue(createOTPs, wall, floor, in.argument(), most, per, keep, span, calls, mostCalls, perCalls, keepCalls, spanCalls).Query(func(r pgx.Rows) error {
			return eachRow(r, func(row scanner) error {
				w, err := scanTwo(row)
				written = append(written, w)
				return err
			})
		})
	})
	switch {
	case stateOf(err) == stateTaken:
		s.createEach(group) // one id of them was used before
		return nil
	case err != nil:
		finish(group, err)
		return nil
	}
	for _, w := range written {
		job := group[w[0]]
		s.clock.observe(w[1])
		job.rec, job.written = job.record(column.FromMicros(w[1])), true
	}
	s.committed(len(group), start)
	if len(written) == len(group) {
		return nil
	}
	return s.refuse(group)
}

// createEach writes the sends of a group one by one.
func (s *Store) createEach(group []*send) {
	for _, job := range group {
		job.rec, job.err = s.createOnce(context.Background(), job)
	}
}

// refuse tells the sends that were not written why. It returns those that the
// limits would let pass by now.
func (s *Store) refuse(group []*send) (again []*send) {
	var ns []int
	var accounts []int64
	var recipients [][]byte
	for i, job := range group {
		if !job.written {
			ns, accounts, recipients = append(ns, i), append(accounts, job.accountID), append(recipients, job.otp.RecipientKey[:])
		}
	}
	tallies := make([]guard.Tally, len(group))
	var now time.Time
	err := s.group(func(b *pgx.Batch) {
		wall, floor := s.clock.args()
		b.Queue(readTallies, wall, floor, ns, accounts, recipients).Query(func(r pgx.Rows) error {
			return eachRow(r, func(row scanner) error {
				var n int
				var us int64
				var sends, calls []int64
				err := row.Scan(&n, &us, &sends, &calls)
				tallies[n], now = guard.Tally{Sends: fromAll(sends), Calls: fromAll(calls)}, column.FromMicros(us)
				return err
			})
		})
	})
	for _, i := range ns {
		job := group[i]
		if err != nil {
			job.err = err
			continue
		}
		switch refused := job.otp.Rules.AdmitSend(&tallies[i], job.asSend(), now); {
		case refused != nil:
			job.err = &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
		case job.tries < maxTries:
			job.tries++
			again = append(again, job)
		default:
			job.err = fmt.Errorf("count a send: %w: other nodes change the recipient's limits", verify.ErrOverloaded)
		}
	}
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

// createOnce writes one send in a transaction of its own, with an answer to
// repeat if the caller gave a key for it.
func (s *Store) createOnce(ctx context.Context, job *send) (verify.Record, error) {
	n := &job.otp
	var rec verify.Record
	err := s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		t.only(job.accountID)
		if found, err := t.repeat(job.accountID, n.Idempotency, &rec); found || err != nil {
			return err
		}
		var err error
		if rec, err = t.create(job); err != nil {
			return err
		}
		return t.remember(job.accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	s.clock.mark.Expects(rec.Expires)
	return rec, nil
}

// create admits and writes one send.
func (t *tx) create(job *send) (verify.Record, error) {
	n := &job.otp
	switch {
	case n.Limited && n.Rules.LimitsSends():
		if err := t.admitSend(job.accountID, n.RecipientKey[:], n.Rules, job.asSend()); err != nil {
			return verify.Record{}, err
		}
	case n.Limited: // for checks to lock
		t.put(holdTally, job.accountID, n.RecipientKey[:], column.Micros(t.now))
	}
	rec := job.record(t.now)
	seq, ok, err := registry.First(t.query, registry.ScanInt, insertOTP, job.accountID, job.id, n.Origin, n.Allowed,
		int16(n.Rule.Form), n.Rule.Length, n.Rule.Bound, n.Resendable, n.Limited,
		column.Micros(rec.Created), column.Micros(rec.Expires), n.Life.Microseconds(), int64(n.Key), n.Digest[:],
		n.Recipient.Reveal(), n.RecipientKey[:], column.OptionalID(n.ProfileID), column.OptionalID(n.ApplicationID),
		column.OptionalText(n.Reference), job.plan, column.OptionalText(job.country))
	if err != nil {
		return verify.Record{}, fmt.Errorf("write otp: %w", err)
	}
	if !ok {
		return verify.Record{}, verify.ErrIDTaken
	}
	t.put(insertDelivery, job.accountID, seq, 1, 0, nextOf(n), column.Micros(t.now), column.Micros(t.now), job.dedupe[:], nil, n.Sealed)
	return rec, nil
}
