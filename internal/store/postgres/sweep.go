package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// OTPs that another transaction holds are passed over until the next sweep.
// uses otps_open_idx.
const selectOverdue = `SELECT ` + otpColumns + ` FROM otps o WHERE o.state = 1 AND o.expires_at <= $1
	ORDER BY o.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED`

// ExpireOTPs ends OTPs whose time is over and wipes what could still be sent
// of them (C-05). It returns how many it ended. Nodes share the work.
func (s *Store) ExpireOTPs(ctx context.Context) (int, error) {
	total := 0
	for {
		oldest, some, err := registry.First(s.pooled(ctx), registry.ScanInt, "SELECT expires_at FROM otps WHERE state = 1 ORDER BY expires_at LIMIT 1")
		if err != nil {
			return total, readError("read overdue otps", err)
		}
		if !some || oldest > column.Micros(s.Now()) {
			return total, nil
		}
		var n int
		err = s.write(ctx, func(t *tx) error {
			n = 0
			overdue, err := registry.Collect(t.query, scanOTP, selectOverdue, column.Micros(t.now), upkeep.SweepBatch)
			if err != nil {
				return fmt.Errorf("read overdue otps: %w", err)
			}
			if err := t.histories(overdue); err != nil {
				return err
			}
			for i := range overdue {
				r := &overdue[i]
				if !r.Expire(t.now) {
					continue
				}
				n++
				t.saveLife(r)
				t.endDeliveries(r)
				if err := t.recordEvent(r, otp.Event{Kind: otp.EventExpired}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		if total += n; n < upkeep.SweepBatch {
			return total, nil
		}
	}
}

// uses events_pkey.
const selectHistories = `SELECT i.n, coalesce(e.seq, 0), coalesce(e.at, 0)
	FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (account_id, otp, n)
	LEFT JOIN LATERAL (SELECT seq, at FROM events h WHERE h.account_id = i.account_id AND h.otp = i.otp ORDER BY h.seq DESC LIMIT 1) e ON true`

// histories reads where the events of OTPs that are locked end.
func (t *tx) histories(rows []otpRow) error {
	var accounts, otps []int64
	for _, r := range rows {
		accounts, otps = append(accounts, r.accountID), append(otps, r.seq)
	}
	err := t.query(func(row scanner) error {
		var n, seq int
		var at int64
		if err := row.Scan(&n, &seq, &at); err != nil {
			return err
		}
		rows[n-1].history = &history{seq, column.FromMicros(at)}
		return nil
	}, selectHistories, accounts, otps)
	if err != nil {
		return fmt.Errorf("read last events: %w", err)
	}
	return nil
}

// otpKey names an OTP inside the database.
type otpKey struct{ account, seq int64 }

func scanOTPKey(row scanner) (k otpKey, err error) {
	err = row.Scan(&k.account, &k.seq)
	return k, err
}

// A page by key, account after account, old or not: so that no read is long. An
// OTP stays while an older one of its recipient does: else that one would become
// the last to whoever asks by the recipient alone. uses otps_pkey, then
// otps_recipient_idx.
const selectAged = `WITH page AS MATERIALIZED (
		SELECT account_id, seq, recipient_key, origin, created_at >= $3 AS young, created_at < $3 AND expires_at < $3 AS old FROM otps
		WHERE (account_id, seq) > ($1, $2) ORDER BY account_id, seq LIMIT $4)
	SELECT p.account_id, p.seq, p.young, p.old AND NOT EXISTS (SELECT 1 FROM otps older WHERE older.account_id = p.account_id
		AND older.recipient_key = p.recipient_key AND older.seq < p.seq AND older.origin = p.origin AND older.expires_at >= $3)
	FROM page p ORDER BY p.account_id, p.seq`

// agedOTP names an OTP and says whether it was made lately, or has been kept long
// enough.
type agedOTP struct {
	otpKey
	young, gone bool
}

// Purge removes what has been kept long enough and returns how many OTPs it
// removed. What keeps one part of it from being done keeps none of the others.
func (s *Store) Purge(ctx context.Context, keep upkeep.Retention) (int, error) {
	now := s.Now()
	total, otps := s.purgeOTPs(ctx, column.Micros(now.Add(-keep.OTPs)))
	_, letters := s.DropAll(ctx, purgeDeadLetters, column.Micros(now.Add(-keep.Callbacks)))
	_, answers := s.DropAll(ctx, purgeAnswers, column.Micros(now.Add(-answer.KeptFor)))
	return total, errors.Join(otps, letters, answers, s.purgeFigures(ctx), s.purgeTallies(ctx, column.Micros(now.Add(-keep.Tallies))))
}

// purgeOTPs removes OTPs that were over before cutoff, page by page, and returns
// how many.
func (s *Store) purgeOTPs(ctx context.Context, cutoff int64) (total int, err error) {
	after := otpKey{}
	for {
		page, err := registry.Collect(s.pooled(ctx), func(row scanner) (o agedOTP, err error) {
			err = row.Scan(&o.account, &o.seq, &o.young, &o.gone)
			return o, err
		}, selectAged, after.account, after.seq, cutoff, upkeep.SweepBatch)
		if err != nil {
			return total, readError("read old otps", err)
		}
		if len(page) == 0 {
			return total, nil
		}
		last := page[len(page)-1]
		if after = last.otpKey; last.young {
			after.seq = math.MaxInt64 // an account's numbers rise with the time of creation: the rest is younger
		}
		var keys []otpKey
		for _, o := range page {
			if o.gone {
				keys = append(keys, o.otpKey)
			}
		}
		if len(keys) == 0 {
			continue
		}
		n := 0
		err = s.write(ctx, func(t *tx) (err error) {
			n, err = t.deleteOTPs(keys)
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
}

const (
	// uses callbacks_dead_idx.
	purgeDeadLetters = `DELETE FROM callbacks WHERE (account_id, seq) IN (
		SELECT account_id, seq FROM callbacks WHERE due_at IS NULL AND dead_at < $1 LIMIT $2)`
	// uses idempotency_created_idx.
	purgeAnswers = `DELETE FROM idempotency WHERE created_at < $1 AND (account_id, key) IN (
		SELECT account_id, key FROM idempotency WHERE created_at < $1 LIMIT $2)`
	// uses tallies_pkey.
	selectTallies = `SELECT account_id, recipient_key,
			updated_at < $1 AND (consecutive = 0 OR cardinality(sends) > 0 OR cardinality(failures) > 0) FROM tallies
		WHERE (account_id, recipient_key) > ($2, $3) ORDER BY account_id, recipient_key LIMIT $4`
	// They lock in tallyOrder what is still old. uses tallies_pkey.
	purgeTallies = `DELETE FROM tallies WHERE (account_id, recipient_key) IN (` + lockTallies + `AND t.consecutive = 0` + inTallyOrder + `)`
	emptyTallies = `UPDATE tallies SET sends = '{}', calls = NULL, failures = '{}'
		WHERE (account_id, recipient_key) IN (` + lockTallies + `AND t.consecutive <> 0` + inTallyOrder + `)`
	lockTallies = `SELECT t.account_id, t.recipient_key FROM unnest($2::bigint[], $3::bytea[]) AS i (account_id, recipient_key)
		JOIN tallies t USING (account_id, recipient_key) WHERE t.updated_at < $1 `
	inTallyOrder = ` ORDER BY t.account_id, t.recipient_key FOR UPDATE OF t`
)

// tallyKey names what limits remember of a recipient.
type tallyKey struct {
	account   int64
	recipient []byte
	old       bool
}

// purgeTallies removes what limits have not asked about since cutoff, page by
// page: of a run of wrong codes, which only a right one or an operator ends, the
// times (P-04).
func (s *Store) purgeTallies(ctx context.Context, cutoff int64) error {
	last := tallyKey{recipient: []byte{}}
	for {
		page, err := registry.Collect(s.pooled(ctx), func(row scanner) (k tallyKey, err error) {
			err = row.Scan(&k.account, &k.recipient, &k.old)
			return k, err
		}, selectTallies, cutoff, last.account, last.recipient, upkeep.SweepBatch)
		if err != nil {
			return readError("read limits", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = page[len(page)-1]
		var accounts []int64
		var recipients [][]byte
		for _, k := range page {
			if k.old {
				accounts, recipients = append(accounts, k.account), append(recipients, k.recipient)
			}
		}
		if len(accounts) == 0 {
			continue
		}
		for _, query := range [...]string{purgeTallies, emptyTallies} {
			if _, err := s.Drop(ctx, query, cutoff, accounts, recipients); err != nil {
				return err
			}
		}
	}
}

// lockBySeq locks OTPs in the order that everybody locks them in. uses
// otps_pkey.
const lockBySeq = `SELECT o.account_id, o.seq FROM otps o WHERE (o.account_id, o.seq) IN (
		SELECT i.account_id, i.seq FROM unnest($1::bigint[], $2::bigint[]) AS i (account_id, seq))
	ORDER BY o.account_id, o.id FOR UPDATE OF o`

// deleteOTPs removes OTPs with all that belongs to them and returns how many
// there were.
func (t *tx) deleteOTPs(keys []otpKey) (int, error) {
	var accounts, seqs []int64
	for _, k := range keys {
		accounts, seqs = append(accounts, k.account), append(seqs, k.seq)
	}
	locked, err := registry.Collect(t.query, scanOTPKey, lockBySeq, accounts, seqs)
	if err != nil {
		return 0, fmt.Errorf("lock otps: %w", err)
	}
	for _, k := range locked {
		t.deleteOTP(k.account, k.seq)
	}
	return len(locked), nil
}
