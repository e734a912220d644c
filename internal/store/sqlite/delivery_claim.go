package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const deliveryColumns = `d.seq, d.state, d.step, d.next_step, d.tries, d.reported, d.queued_at, coalesce(d.due_at, 0),
	coalesce(d.again_until, 0), d.dedupe, coalesce(d.sender, ''), coalesce(d.carrier, ''), coalesce(d.ref, ''), d.sealed`

// deliveryRow is a delivery as the table keeps it, with its OTP.
type deliveryRow struct {
	delivery.Delivery
	otp      otpRow
	plan     delivery.Plan
	step     delivery.Step
	sealed   []byte
	reported bool   // a final receipt was recorded
	notes    []byte // of tries, to be added to those that are kept
}

// standing is what the rules ask of the row at now.
func (r *deliveryRow) standing(now time.Time) delivery.Standing {
	return delivery.Standing{
		Now: now, Of: r.otp.At(now), Expires: r.otp.Expires, Step: r.step, Sealed: r.sealed != nil, Reported: r.reported,
	}
}

// scanDelivery reads otpColumns and deliveryColumns.
func (s *Store) scanDelivery(t *tx, from rower) (*deliveryRow, error) {
	r := &deliveryRow{}
	var queued, due, again int64
	var dedupe []byte
	err := r.otp.scan(from, &r.Seq, &r.State, &r.StepAt, &r.Next, &r.Tries, &r.reported, &queued, &due,
		&again, &dedupe, &r.Sender, &r.Carrier, &r.Ref, &r.sealed)
	if err != nil {
		return nil, err
	}
	if r.otp.Account, err = s.AccountName(t.query, r.otp.accountID); err != nil {
		return nil, err
	}
	r.Account, r.OTPID = r.otp.Account, r.otp.ID
	r.Queued, r.Due, r.AgainUntil = column.FromMicros(queued), column.FromMicros(due), column.FromMicros(again)
	if u, err := uuid.FromBytes(dedupe); err == nil {
		r.Dedupe = u.String()
	}
	if r.plan, err = s.decodePlan(&r.otp); err != nil {
		return nil, err
	}
	var ok bool
	if r.step, ok = r.plan.Step(r.StepAt); !ok {
		return nil, fmt.Errorf("otp %d: delivery %d of no step", r.otp.seq, r.Seq)
	}
	r.Channel = r.step.Channel
	return r, nil
}

const fromDeliveries = ` FROM deliveries d JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp `

// uses deliveries_due_idx, then the OTPs' primary key.
const selectDue = `SELECT ` + otpColumns + `, ` + deliveryColumns + fromDeliveries +
	`WHERE d.state = ? AND d.due_at <= ? ORDER BY d.due_at LIMIT ?`

// dueRows reads deliveries in state whose time has come, oldest due first.
func (s *Store) dueRows(t *tx, state delivery.State, limit int) ([]*deliveryRow, error) {
	due, err := registry.Collect(t.query, func(rows rower) (*deliveryRow, error) { return s.scanDelivery(t, rows) },
		selectDue, state, column.Micros(t.now), limit)
	if err != nil {
		return nil, fmt.Errorf("read due deliveries: %w", err)
	}
	return due, nil
}

const leaseDelivery = `UPDATE deliveries SET due_at = ?, lease_node = ? WHERE account_id = ? AND otp = ? AND seq = ?`

// uses deliveries_due_idx.
const selectNextDue = `SELECT min(due_at) FROM deliveries WHERE state = ? AND due_at IS NOT NULL`

// nothingDue asks the readers whether a claim would find anything, so that an
// idle dispatcher does not write. It returns the next due time otherwise.
func (s *Store) nothingDue(ctx context.Context) (bool, time.Time, error) {
	var next time.Time
	for _, state := range []delivery.State{delivery.Queued, delivery.Dispatched} {
		var due sql.NullInt64
		if err := s.read.QueryRowContext(ctx, selectNextDue, state).Scan(&due); err != nil {
			return false, time.Time{}, s.readError("read next due delivery", err)
		}
		if at := column.FromMicros(due.Int64); due.Valid && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if state == delivery.Queued && due.Valid && due.Int64 <= column.Micros(s.clock.Now()) {
			return false, time.Time{}, nil
		}
	}
	return true, next, nil
}

// ClaimDeliveries implements delivery.Store.
func (s *Store) ClaimDeliveries(ctx context.Context, node string, limit int, lease time.Duration) ([]delivery.Job, time.Time, error) {
	idle, next, err := s.nothingDue(ctx)
	if err != nil || idle {
		return nil, next, err
	}
	var jobs []delivery.Job
	err = s.writeUrgent(ctx, func(t *tx) error {
		jobs = jobs[:0]
		due, err := s.dueRows(t, delivery.Queued, limit)
		if err != nil {
			return err
		}
		for _, r := range due {
			if c, over := r.TimeOver(r.otp.At(t.now), r.otp.Expires); over {
				if _, _, err := s.apply(t, r, []delivery.Change{c}); err != nil {
					return err
				}
				continue
			}
			until := any(nil) // nothing can be sent without the code
			if r.sealed != nil {
				until = column.Micros(t.now.Add(lease))
				jobs = append(jobs, delivery.Job{
					Delivery: r.Delivery, Recipient: r.otp.Recipient, Step: r.step, Sealed: r.sealed, Expires: r.otp.Expires,
				})
			}
			if _, err := t.exec(leaseDelivery, until, node, r.otp.accountID, r.otp.seq, r.Seq); err != nil {
				return fmt.Errorf("lease delivery: %w", err)
			}
		}
		next = time.Time{}
		for _, state := range []delivery.State{delivery.Queued, delivery.Dispatched} {
			var at sql.NullInt64
			if err := t.row(selectNextDue, state).Scan(&at); err != nil {
				return fmt.Errorf("read next due delivery: %w", err)
			}
			if due := column.FromMicros(at.Int64); at.Valid && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return jobs, next, nil
}

// ReleaseDeliveries implements delivery.Store.
func (s *Store) ReleaseDeliveries(ctx context.Context, node string) error {
	return s.writeUrgent(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE deliveries SET due_at = ?, lease_node = NULL
			WHERE state = 1 AND due_at IS NOT NULL AND lease_node = ?`, column.Micros(t.now), node)
		if err != nil {
			return fmt.Errorf("release deliveries: %w", err)
		}
		return nil
	})
}
