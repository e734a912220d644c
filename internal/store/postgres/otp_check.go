package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// check is a CountAttempt on its way through a lane.
type check struct {
	work
	accountID int64
	id        []byte
	attempt   verify.Attempt
	checked   verify.Checked
}

func sameChecks(a, b *check) bool {
	x, y := a.attempt.Rules, b.attempt.Rules
	return x.ConsecutiveFailures == y.ConsecutiveFailures && x.StopRetryAfter == y.StopRetryAfter && slices.Equal(x.Failures, y.Failures) &&
		slices.Equal(a.attempt.Guess.Keys, b.attempt.Guess.Keys)
}

// CountAttempt implements verify.Store.
func (s *Store) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	accountID, err := s.AccountID(ctx, a.Account)
	if err != nil {
		return verify.Checked{}, err
	}
	if !a.Idempotency.IsZero() {
		return s.countOnce(ctx, accountID, a)
	}
	job := &check{accountID: accountID, id: column.EncodeID(a.ID), attempt: a}
	job.key = laneKey(accountID, job.id)
	if err := s.checks.submit(ctx, job); err != nil {
		return verify.Checked{}, err
	}
	return job.checked, nil
}

// A group of checks is two statements in one round trip, each with what was
// committed before it began: the OTPs are locked in the order of their keys,
// then what limits remember of their recipients, and only then the time is
// read and everything decided (V-03).
//
// lockChecked counts what it locks, as PostgreSQL reads and locks no more than is
// asked for: where it knows of no recipient that is limited, it would not look at
// the OTPs. It uses otps_id_key and tallies_pkey.
const lockChecked = `WITH locked AS MATERIALIZED (
			SELECT o.account_id, o.recipient_key, o.limited AND o.state < 2 AS limited FROM unnest($1::bigint[], $2::bytea[]) AS i (account_id, id)
			JOIN otps o ON o.account_id = i.account_id AND o.id = i.id
			ORDER BY o.account_id, o.id FOR UPDATE OF o),
		counted AS MATERIALIZED (
			SELECT t.consecutive FROM tallies t
			WHERE (t.account_id, t.recipient_key) IN (SELECT l.account_id, l.recipient_key FROM locked l WHERE l.limited)
			ORDER BY t.account_id, t.recipient_key FOR UPDATE OF t)
		SELECT (SELECT count(*) FROM locked), (SELECT count(*) FROM counted)`

// What the statement may come to beside otp.Verdict's numbers.
const (
	verdictRefused  = 0  // a limit refuses
	verdictAgain    = -1 // another check of the group counts for the same recipient
	verdictUnjudged = -2 // the guess does not judge the OTP
)

// inSQL puts numbers for the names in countAttempts.
var inSQL = func() *strings.Replacer {
	var pairs []string
	for name, n := range map[string]int{
		"refused": verdictRefused, "again": verdictAgain, "unjudged": verdictUnjudged,
		"right": int(otp.Right), "wrong": int(otp.Wrong), "spent": int(otp.Spent), "late": int(otp.Late), "closed": int(otp.Closed),
		"active": int(otp.Active), "verified": int(otp.Verified), "expired": int(otp.Expired), "too many": int(otp.TooManyAttempts),
		"padded": int(otp.PaddedDigits), "queued": int(delivery.Queued), "handed over": int(delivery.Dispatched),
		"told sent": int(otp.EventDispatched), "told right": int(otp.EventVerified), "told wrong": int(otp.EventWrongCode),
		"told spent": int(otp.EventTooManyAttempts), "told late": int(otp.EventExpired),
	} {
		pairs = append(pairs, "{"+name+"}", strconv.Itoa(n))
	}
	return strings.NewReplacer(pairs...)
}()

// countAttempts decides as the rules do; the caller runs the rules themselves
// on what it returns and takes no other answer:
//
//	found      what otp.OTP.Check is asked about; done is OTP.Expire, fits Guess
//	decided    verify's order: OTP.Check's final states, Guess.Judges,
//	           guard.Rules.AdmitCheck, then OTP.Check's comparison
//	lives      what OTP.Check changes
//	settled    what the end of an OTP does to its deliveries (endDeliveries)
//	failed     guard.Rules.CountFailure
//	forgotten  guard.Rules.CountSuccess
//	tell       otp.CheckEvent and otp.NextEventTime
//	counted    the figures of a code that was right (tx.count)
//
// It uses otps_id_key and tallies_pkey, then the primary keys.
var countAttempts = inSQL.Replace(`WITH clock AS MATERIALIZED (SELECT ` + nowSQL + ` AS now),
	found AS MATERIALIZED (
		SELECT i.n, o.seq, o.account_id, o.recipient_key, o.country, o.state, o.allowed, o.attempts, o.end_seen, o.form, o.code_length,
			o.bound, o.limited, o.created_at, o.expires_at, o.ended_at, o.life, o.key_id, o.digest, o.recipient, o.profile_id,
			o.application_id, o.reference, c.now, coalesce(t.failures, '{}') AS failures, coalesce(t.consecutive, 0) AS consecutive,
			o.state <> {active} OR c.now >= o.expires_at AS done,
			row_number() OVER (PARTITION BY o.account_id, o.recipient_key ORDER BY i.n) AS turn,
			(o.form <> {padded} OR i.typed <= o.code_length) AND position(
				int8send(o.key_id) || int2send(o.form) || int2send(o.bound::int::smallint) || o.digest IN i.guesses) > 0 AS fits
		FROM unnest($3::check_input[]) i
		JOIN otps o ON o.account_id = i.account_id AND o.id = i.id AND o.origin = i.origin
		CROSS JOIN clock c
		LEFT JOIN tallies t ON o.limited AND t.account_id = o.account_id AND t.recipient_key = o.recipient_key
	),
	decided AS MATERIALIZED (
		SELECT f.*, CASE
			WHEN done AND (state = {active} OR state = {expired}) AND NOT end_seen THEN {late}
			WHEN done THEN {closed}
			WHEN key_id <> ALL ($10::bigint[]) THEN {unjudged}
			WHEN limited AND turn > 1 THEN {again}
			WHEN limited AND ($4::int > 0 AND consecutive >= $4 OR EXISTS (
				SELECT 1 FROM unnest($5::int[], $6::bigint[]) AS w (most, per)
				WHERE cardinality(failures) >= most AND failures[cardinality(failures) - most + 1] + per > now)) THEN {refused}
			WHEN fits THEN {right}
			WHEN attempts + 1 >= allowed THEN {spent}
			ELSE {wrong} END AS verdict
		FROM found f
	),
	lives AS (
		UPDATE otps o SET
			state = CASE d.verdict WHEN {right} THEN {verified} WHEN {spent} THEN {too many} WHEN {wrong} THEN {active}
				ELSE CASE d.state WHEN {active} THEN {expired} ELSE d.state END END,
			attempts = CASE WHEN d.verdict IN ({late}, {closed}) THEN d.attempts ELSE d.attempts + 1 END,
			end_seen = d.verdict <> {wrong},
			ended_at = CASE WHEN d.verdict IN ({right}, {spent}) THEN d.now
				WHEN d.verdict IN ({late}, {closed}) AND d.state = {active} THEN d.expires_at ELSE d.ended_at END
		FROM decided d WHERE o.account_id = d.account_id AND o.seq = d.seq
			AND (d.verdict IN ({right}, {wrong}, {spent}) OR d.verdict IN ({late}, {closed}) AND (d.state = {active} OR NOT d.end_seen))
	),
	settled AS (
		UPDATE deliveries v SET sealed = NULL, lease_node = CASE WHEN d.verdict IN ({late}, {closed}) THEN v.lease_node END,
			state = CASE WHEN d.verdict IN ({late}, {closed}) AND v.state = {queued} AND v.again_until IS NOT NULL
				THEN {handed over} ELSE v.state END,
			due_at = CASE WHEN d.verdict IN ({late}, {closed}) THEN
				CASE WHEN v.state = {queued} THEN coalesce(v.again_until, v.due_at) ELSE v.due_at END END
		FROM decided d WHERE v.account_id = d.account_id AND v.otp = d.seq AND (v.due_at IS NOT NULL OR v.sealed IS NOT NULL)
			AND (d.verdict IN ({right}, {spent}) OR d.verdict IN ({late}, {closed}) AND d.state = {active})
	),
	failed AS (
		INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at)
		SELECT d.account_id, d.recipient_key, '{}', CASE WHEN $7::int > 0 THEN ARRAY[d.now] ELSE '{}' END, 1, d.now
		FROM decided d WHERE d.limited AND d.verdict IN ({wrong}, {spent}) ORDER BY d.account_id, d.recipient_key
		ON CONFLICT (account_id, recipient_key) DO UPDATE SET consecutive = tallies.consecutive + 1, updated_at = excluded.updated_at,
			failures = CASE WHEN $7 > 0 THEN ARRAY(SELECT f.at FROM unnest(tallies.failures || excluded.failures) WITH ORDINALITY AS f (at, n)
				WHERE f.n > cardinality(tallies.failures) + 1 - $7 AND excluded.updated_at - f.at < $8::bigint ORDER BY f.n)
				ELSE tallies.failures END
	),
	forgotten AS (
		UPDATE tallies t SET failures = '{}', consecutive = 0, updated_at = d.now
		FROM decided d WHERE t.account_id = d.account_id AND t.recipient_key = d.recipient_key
			AND d.limited AND d.verdict = {right} AND (t.consecutive > 0 OR cardinality(t.failures) > 0)
	),
	tell AS MATERIALIZED (
		SELECT d.account_id, d.seq AS otp, d.created_at, d.country, coalesce(e.seq, 0) + 1 AS seq, greatest(d.now / 1000 * 1000, e.at + 1000) AS at,
			CASE d.verdict WHEN {right} THEN {told right} WHEN {wrong} THEN {told wrong} WHEN {spent} THEN {told spent} ELSE {told late} END AS kind
		FROM decided d LEFT JOIN LATERAL (SELECT seq, at FROM events e
			WHERE e.account_id = d.account_id AND e.otp = d.seq ORDER BY e.seq DESC LIMIT 1) e ON true
		WHERE d.verdict IN ({right}, {wrong}, {spent}) OR d.verdict IN ({late}, {closed}) AND d.state = {active}
	),
	told AS (
		INSERT INTO events (account_id, otp, seq, at, kind) SELECT w.account_id, w.otp, w.seq, w.at, w.kind FROM tell w
	),
	counted AS (
		INSERT INTO figure_facts (account_id, hour, country, channel, carrier, label, kind, bucket, n)
		SELECT w.account_id, w.created_at / 3600000000, coalesce(w.country, ''), coalesce(e.channel, ''), coalesce(e.carrier, ''),
			coalesce(e.label, ''), w.kind, width_bucket(w.at - coalesce(e.at, w.created_at), $9::bigint[]), 1
		FROM tell w LEFT JOIN LATERAL (SELECT e.at, e.channel, e.carrier, e.label FROM events e
			WHERE e.account_id = w.account_id AND e.otp = w.otp AND e.kind = {told sent} ORDER BY e.seq DESC LIMIT 1) e ON true
		WHERE w.kind = {told right}
	)
	SELECT ` + lifeColumns + `, o.n, o.verdict, o.now, o.failures, o.consecutive FROM decided o`)

// flushChecks counts a group's attempts. It returns those whose recipient's
// limits another of the group was counted by.
func (s *Store) flushChecks(group []*check) (again []*check) {
	start := started()
	accounts, ids := make([]int64, len(group)), make([][]byte, len(group))
	for i, job := range group {
		accounts[i], ids[i] = job.accountID, job.id
	}
	rules := group[0].attempt.Rules
	most, per, keep, span := windows(rules.Failures)
	keys := make([]int64, len(group[0].attempt.Guess.Keys))
	for i, key := range group[0].attempt.Guess.Keys {
		keys[i] = int64(key)
	}

	rows := make([]checkRow, 0, len(group))
	err := s.group(func(b *pgx.Batch) {
		rows = rows[:0]
		wall, floor := s.clock.args()
		in := newInput(s.inputs.Load().check)
		writeChecks(in, group)
		b.Queue(lockChecked, accounts, ids)
		b.Queue(countAttempts, wall, floor, in.argument(), rules.ConsecutiveFailures, most, per, keep, span, boundsMicros(), keys).Query(func(r pgx.Rows) error {
			return eachRow(r, func(row scanner) error {
				var c checkRow
				err := c.scan(row)
				rows = append(rows, c)
				return err
			})
		})
	})
	if err != nil {
		finish(group, err)
		return nil
	}
	finish(group, verify.ErrNotFound)
	for _, row := range rows {
		job := group[row.n]
		s.clock.observe(row.now)
		if row.verdict == verdictAgain {
			again = append(again, job)
			continue
		}
		row.otp.Ref = job.attempt.Ref
		job.checked, job.err = row.judge(job.attempt)
	}
	s.committed(len(group), start)
	return again
}

// writeChecks writes a group as countAttempts reads it (check_input).
func writeChecks(in input, group []*check) {
	for i, job := range group {
		in.row()
		in.int4(i)
		in.int8(job.accountID)
		in.bytes(job.id)
		in.string(job.attempt.Origin)
		in.int4(job.attempt.Guess.Length)
		in.bytes(packGuess(job.attempt.Guess))
	}
}

// packGuess is a guess's candidates, each as the statement puts an OTP's key,
// form, binding and digest together to look for it.
func packGuess(g otp.Guess) []byte {
	const size = 8 + 2 + 2 + len(otp.Digest{})
	b := make([]byte, 0, size*len(g.Candidates))
	for _, c := range g.Candidates {
		b = binary.BigEndian.AppendUint64(b, uint64(c.Key))
		b = binary.BigEndian.AppendUint16(b, uint16(c.Form))
		bound := uint16(0)
		if c.Bound {
			bound = 1
		}
		b = binary.BigEndian.AppendUint16(b, bound)
		b = append(b, c.Digest[:]...)
	}
	return b
}

// windows are a limit's windows as arrays, with how many times and how long a
// tally keeps for them.
func windows(limits []guard.Window) (most []int, per []int64, keep int, span int64) {
	most, per = []int{}, []int64{}
	for _, w := range limits {
		most, per = append(most, w.Max), append(per, w.Per.Microseconds())
		keep, span = max(keep, w.Max), max(span, w.Per.Microseconds())
	}
	return most, per, keep, span
}

// checkRow is what countAttempts tells of one check.
type checkRow struct {
	otp         otpRow // before the check
	n, verdict  int
	now         int64
	failures    []int64
	consecutive int
}

func (c *checkRow) scan(row scanner) error {
	return c.otp.scanLife(row, &c.n, &c.verdict, &c.now, &c.failures, &c.consecutive)
}

// judge applies the rules to what was found. Their answer is the caller's; it
// must be what the statement has written.
func (c *checkRow) judge(a verify.Attempt) (verify.Checked, error) {
	now := column.FromMicros(c.now)
	after, verdict := c.otp.Check(now, a.Guess)
	if verdict.Compared() && !a.Guess.Judges(c.otp.OTP) {
		if c.verdict != verdictUnjudged {
			return verify.Checked{}, errDisagree(verdictUnjudged, c.verdict)
		}
		return verify.Checked{}, verify.ErrKeyUnknown
	}
	if verdict.Compared() && c.otp.limited {
		g := guard.Tally{Failures: fromAll(c.failures), Consecutive: c.consecutive}
		if refused := a.Rules.AdmitCheck(g, now); refused != nil {
			if c.verdict != verdictRefused {
				return verify.Checked{}, errDisagree(verdictRefused, c.verdict)
			}
			return verify.Checked{}, &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
		}
	}
	if int(verdict) != c.verdict {
		return verify.Checked{}, errDisagree(int(verdict), c.verdict)
	}
	c.otp.OTP = after
	return verify.Checked{Record: c.otp.Record, Verdict: verdict}, nil
}

// errDisagree is a programmer's mistake that the conformance suite meets: the
// statement and the rules decided differently.
func errDisagree(rules, statement int) error {
	return fmt.Errorf("a check's statement came to verdict %d, the rules to %d", statement, rules)
}

// countOnce is CountAttempt with an answer to repeat.
func (s *Store) countOnce(ctx context.Context, accountID int64, a verify.Attempt) (verify.Checked, error) {
	var c verify.Checked
	err := s.write(ctx, func(t *tx) error {
		c = verify.Checked{}
		t.only(accountID)
		if kept, err := t.answer(accountID, a.Idempotency); kept != nil || err != nil {
			if err == nil {
				c = *kept
			}
			return err
		}
		row, err := t.loadOTP(accountID, a.Ref)
		if err != nil {
			return err
		}
		if c, err = t.countAttempt(row, a); err != nil {
			return err
		}
		return t.rememberAnswer(accountID, a.Idempotency, c)
	})
	if err != nil {
		return verify.Checked{}, err
	}
	return c, nil
}

func (t *tx) countAttempt(row *otpRow, a verify.Attempt) (verify.Checked, error) {
	var g guard.Tally
	if row.limited {
		var err error
		if g, err = t.lockTally(row.accountID, row.recipientKey); err != nil {
			return verify.Checked{}, err
		}
	}
	before := row.OTP
	after, verdict := row.Check(t.now, a.Guess)
	if verdict.Compared() && !a.Guess.Judges(before) {
		return verify.Checked{}, verify.ErrKeyUnknown
	}
	if verdict.Compared() && row.limited {
		if refused := a.Rules.AdmitCheck(g, t.now); refused != nil {
			return verify.Checked{}, &verify.LimitError{Limit: refused.Limit, RetryAfter: refused.RetryAfter}
		}
		if verdict == otp.Right {
			a.Rules.CountSuccess(&g)
		} else {
			a.Rules.CountFailure(&g, t.now)
		}
		t.saveTally(row.accountID, row.recipientKey, g)
	}
	row.OTP = after
	if after != before {
		t.saveLife(row)
	}
	if after.State != before.State {
		t.endDeliveries(row)
	}
	if kind, ok := otp.CheckEvent(before, after, verdict); ok {
		if err := t.recordEvent(row, otp.Event{Kind: kind}); err != nil {
			return verify.Checked{}, err
		}
	}
	return verify.Checked{Record: row.Record, Verdict: verdict}, nil
}
