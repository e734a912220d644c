package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// sweepBatch bounds how many rows one transaction of a sweep touches, so that
// it never holds the writer for long.
const sweepBatch = 500

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
			rows, err := t.query(selectOverdue, micros(t.now), sweepBatch)
			if err != nil {
				return fmt.Errorf("read overdue otps: %w", err)
			}
			var overdue []*otpRow
			for rows.Next() {
				r := &otpRow{}
				if err := r.scan(rows); err != nil {
					rows.Close()
					return fmt.Errorf("read overdue otps: %w", err)
				}
				overdue = append(overdue, r)
			}
			if err := closeRows(rows); err != nil {
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
		if total += n; n < sweepBatch {
			return total, nil
		}
	}
}

// Retention says how long what is no longer needed is kept (P-04).
type Retention struct {
	OTPs      time.Duration // OTPs with deliveries and events, after their expiry
	Callbacks time.Duration // dead letters, after they died
	Tallies   time.Duration // what limits remember, after the last change, unless wrong codes still stop the recipient
}

// Purge removes what has been kept long enough and returns how many OTPs it
// removed.
func (s *Store) Purge(ctx context.Context, keep Retention) (int, error) {
	now := s.clock.Now()
	cutoff := micros(now.Add(-keep.OTPs))
	total, after := 0, int64(0)
	for {
		// By seq, which rises with the time of creation: nothing created after
		// the cutoff can have expired before it.
		var found []struct{ account, seq int64 }
		rows, err := s.read.QueryContext(ctx, `SELECT account_id, seq FROM otps
			WHERE seq > ? AND created_at < ? AND expires_at < ? ORDER BY seq LIMIT ?`, after, cutoff, cutoff, sweepBatch)
		if err != nil {
			return total, s.readError("read old otps", err)
		}
		for rows.Next() {
			var f struct{ account, seq int64 }
			if err := rows.Scan(&f.account, &f.seq); err != nil {
				rows.Close()
				return total, s.readError("read old otps", err)
			}
			found = append(found, f)
		}
		if err := closeRows(rows); err != nil {
			return total, s.readError("read old otps", err)
		}
		if len(found) == 0 {
			break
		}
		err = s.write(ctx, func(t *tx) error {
			for _, f := range found {
				if err := t.deleteOTP(f.account, f.seq); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += len(found)
		after = found[len(found)-1].seq
	}
	return total, s.write(ctx, func(t *tx) error {
		for _, old := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM callbacks WHERE due_at IS NULL AND dead_at < ?", []any{micros(now.Add(-keep.Callbacks))}},
			{"DELETE FROM tallies WHERE updated_at < ? AND consecutive = 0", []any{micros(now.Add(-keep.Tallies))}},
			{"DELETE FROM idempotency WHERE created_at < ?", []any{micros(now.Add(-idempotencyKept))}},
		} {
			if _, err := t.exec(old.query, old.args...); err != nil {
				return fmt.Errorf("purge: %w", err)
			}
		}
		return nil
	})
}

// EraseRecipient removes every OTP sent to the recipient that keys name by
// account, with all that belongs to them (P-05); what limits remember stays,
// under its keyed hash. It returns how many OTPs were removed. keys maps
// account names to the recipient's key there.
func (s *Store) EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error) {
	total := 0
	for account, key := range keys {
		accountID, err := s.accountID(ctx, account)
		if err != nil {
			return total, err
		}
		for {
			var n int
			err := s.write(ctx, func(t *tx) error {
				n = 0
				rows, err := t.query("SELECT seq FROM otps WHERE account_id = ? AND recipient_key = ? LIMIT ?", accountID, key[:], sweepBatch)
				if err != nil {
					return fmt.Errorf("read the recipient's otps: %w", err)
				}
				var seqs []int64
				for rows.Next() {
					var seq int64
					if err := rows.Scan(&seq); err != nil {
						rows.Close()
						return fmt.Errorf("read the recipient's otps: %w", err)
					}
					seqs = append(seqs, seq)
				}
				if err := closeRows(rows); err != nil {
					return fmt.Errorf("read the recipient's otps: %w", err)
				}
				for _, seq := range seqs {
					if err := t.deleteOTP(accountID, seq); err != nil {
						return err
					}
					n++
				}
				return nil
			})
			if err != nil {
				return total, err
			}
			if total += n; n < sweepBatch {
				break
			}
		}
	}
	return total, nil
}
