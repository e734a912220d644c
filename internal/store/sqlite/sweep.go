package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// uses otps_open_idx.
const selectOverdue = `SELECT ` + otpColumns + ` FROM otps o WHERE o.state = 1 AND o.expires_at <= ? ORDER BY o.expires_at LIMIT ?`

// ExpireOTPs ends OTPs whose time is over and wipes what could still be sent
// of them (C-05). It returns how many it ended.
func (s *Store) ExpireOTPs(ctx context.Context) (int, error) {
	total := 0
	for {
		var n int
		err := s.write(ctx, func(t *tx) error {
			n = 0
			overdue, err := registry.Collect(t.query, func(rows rower) (*otpRow, error) {
				r := &otpRow{}
				return r, r.scan(rows)
			}, selectOverdue, column.Micros(t.now), upkeep.SweepBatch)
			if err != nil {
				return fmt.Errorf("read overdue otps: %w", err)
			}
			for _, r := range overdue {
				if !r.Expire(t.now) {
					continue
				}
				n++
				if err := t.saveLife(r); err != nil {
					return err
				}
				if err := t.endDeliveries(r); err != nil {
					return err
				}
				if err := t.recordEvent(r, otp.Event{Kind: otp.EventExpired}, t.now); err != nil {
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

// Purge removes what has been kept long enough and returns how many OTPs it
// removed. What keeps one part of it from being done keeps none of the others.
func (s *Store) Purge(ctx context.Context, keep upkeep.Retention) (int, error) {
	now := s.clock.Now()
	total, otps := s.purgeOTPs(ctx, column.Micros(now.Add(-keep.OTPs)))
	tallies, figures := s.purgeTallies(ctx, column.Micros(now.Add(-keep.Tallies))), s.purgeFigures(ctx)
	_, letters := s.DropAll(ctx, purgeDeadLetters, column.Micros(now.Add(-keep.Callbacks)))
	_, answers := s.DropAll(ctx, purgeAnswers, column.Micros(now.Add(-answer.KeptFor)))
	return total, errors.Join(otps, tallies, figures, letters, answers)
}

// purgeOTPs removes OTPs that were over before cutoff, page by page, and returns
// how many.
func (s *Store) purgeOTPs(ctx context.Context, cutoff int64) (total int, err error) {
	after := int64(0)
	for {
		page, err := registry.Collect(s.pooled(ctx), func(rows rower) (o agedOTP, err error) {
			err = rows.Scan(&o.account, &o.seq, &o.recipient, &o.young, &o.gone)
			return o, err
		}, selectAged, after, cutoff, upkeep.SweepBatch)
		if err != nil {
			return total, s.readError("read old otps", err)
		}
		if len(page) == 0 {
			return total, nil
		}
		last := page[len(page)-1]
		after = last.seq
		page = slices.DeleteFunc(page, func(o agedOTP) bool { return !o.gone })
		if len(page) > 0 {
			err = s.write(ctx, func(t *tx) error {
				for _, o := range page {
					if err := t.deleteOTP(o.otpKey); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return total, err
			}
			total += len(page)
		}
		if last.young {
			return total, nil // numbers rise with the time of creation: the rest is younger
		}
	}
}

const (
	// A page by number, old or not: so that no read is long. An OTP stays while an
	// older one of its recipient does: else that one would become the last to
	// whoever asks by the recipient alone. uses the primary key, then
	// recipients_pkey.
	selectAged = `SELECT o.account_id, o.seq, o.recipient_key, o.created_at >= ?2, o.created_at < ?2 AND o.expires_at < ?2 AND NOT EXISTS (
			SELECT 1 FROM recipients r CROSS JOIN otps older ON older.seq = r.otp
			WHERE r.account_id = o.account_id AND r.recipient_key = o.recipient_key AND r.otp < o.seq
				AND older.origin = o.origin AND older.expires_at >= ?2)
		FROM otps o WHERE o.seq > ?1 ORDER BY o.seq LIMIT ?3`

	// uses callbacks_dead_idx.
	purgeDeadLetters = `DELETE FROM callbacks WHERE seq IN (SELECT seq FROM callbacks WHERE due_at IS NULL AND dead_at < ? LIMIT ?)`
	// uses idempotency_created_idx.
	purgeAnswers = `DELETE FROM idempotency WHERE (account_id, key) IN (
		SELECT account_id, key FROM idempotency WHERE created_at < ? LIMIT ?)`

	// uses recipients_pkey.
	selectTallies = `SELECT account_id, recipient_key, otp,
			coalesce(updated_at < ? AND (consecutive = 0 OR length(sends) > 0 OR length(failures) > 0), false) FROM recipients
		WHERE (account_id, recipient_key, otp) > (?, ?, ?) ORDER BY account_id, recipient_key, otp LIMIT ?`
)

// otpKey names an OTP inside the store.
type otpKey struct {
	account, seq int64
	recipient    []byte
}

// agedOTP names an OTP and says whether it was made lately, or has been kept long
// enough.
type agedOTP struct {
	otpKey
	young, gone bool
}

// tallyRow names a row of a recipient by its OTP, and says whether what it
// remembers is old.
type tallyRow struct {
	otpKey
	old bool
}

// purgeTallies removes what limits need no more: of a run of wrong codes, which
// only a right one or an operator ends, the times (P-04). There is no index by age,
// which every send would pay for: the readers walk the table in pages, and the
// writer writes only what is old.
func (s *Store) purgeTallies(ctx context.Context, cutoff int64) error {
	last := tallyRow{otpKey: otpKey{recipient: []byte{}}}
	for {
		page, err := registry.Collect(s.pooled(ctx), func(rows rower) (r tallyRow, err error) {
			err = rows.Scan(&r.account, &r.recipient, &r.seq, &r.old)
			return r, err
		}, selectTallies, cutoff, last.account, last.recipient, last.seq, upkeep.SweepBatch)
		if err != nil {
			return s.readError("read limits", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = page[len(page)-1]
		page = slices.DeleteFunc(page, func(r tallyRow) bool { return !r.old })
		if len(page) == 0 {
			continue
		}
		err = s.write(ctx, func(t *tx) error {
			for _, r := range page {
				g, err := t.tally(r.account, r.recipient)
				if err != nil {
					return err
				}
				if !g.held || column.Micros(g.updated) >= cutoff {
					continue // it has changed since
				}
				if g.Consecutive == 0 {
					err = t.forget(g)
				} else {
					g.Sends, g.Calls, g.Failures = nil, nil, nil
					err = t.putTally(g)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}
