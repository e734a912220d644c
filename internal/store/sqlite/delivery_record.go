package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// uses otps_id_key, then deliveries_pkey.
const selectDelivery = `SELECT ` + otpColumns + `, ` + deliveryColumns +
	` FROM otps o JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq
	WHERE o.account_id = ? AND o.id = ? AND d.seq = ?`

// RecordSubmits implements delivery.Store.
func (s *Store) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	var started bool
	var latest time.Time
	err := s.writeUrgent(ctx, func(t *tx) error {
		started, latest = false, time.Time{}
		for _, o := range outcomes {
			next, until, err := s.recordSubmit(t, o)
			if err != nil {
				return err
			}
			started = started || next
			if until.After(latest) {
				latest = until
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if !latest.IsZero() {
		s.highWater.Expects(latest)
	}
	return started, nil
}

func (s *Store) recordSubmit(t *tx, o delivery.SubmitOutcome) (started bool, extended time.Time, err error) {
	accountID, ok := s.KnownID(o.Account)
	if !ok {
		return false, extended, fmt.Errorf("record submit: %w", registry.ErrNoAccount)
	}
	r, err := s.scanDelivery(t, t.row(selectDelivery, accountID, column.EncodeID(o.OTPID), o.Seq))
	if errors.Is(err, sql.ErrNoRows) {
		return false, extended, nil // deleted meanwhile
	}
	if err != nil {
		return false, extended, fmt.Errorf("record submit: %w", err)
	}
	o = s.HideInOutcome(r.otp.Record, o)
	changes, reported := r.Answered(o, r.standing(t.now))
	r.reported, r.notes = reported, report.NoteOutcome(r.Queued, t.now, o)
	return s.apply(t, r, changes)
}

// EndWaits implements delivery.Store.
func (s *Store) EndWaits(ctx context.Context, limit int) (ended int, next bool, err error) {
	var due sql.NullInt64
	if err := s.read.QueryRowContext(ctx, selectNextDue, delivery.Dispatched).Scan(&due); err != nil {
		return 0, false, s.readError("read next due delivery", err)
	}
	if !due.Valid || due.Int64 > column.Micros(s.clock.Now()) {
		return 0, false, nil
	}
	var n int
	var started bool
	err = s.writeUrgent(ctx, func(t *tx) error {
		n, started = 0, false
		rows, err := s.dueRows(t, delivery.Dispatched, limit)
		if err != nil {
			return err
		}
		for _, r := range rows {
			c, ok := r.WaitOver(r.otp.At(t.now), t.now)
			if !ok {
				continue
			}
			next, _, err := s.apply(t, r, []delivery.Change{c})
			if err != nil {
				return err
			}
			n++
			started = started || next
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	return n, started, nil
}

// RecordReceipt implements delivery.Store.
func (s *Store) RecordReceipt(ctx context.Context, rec delivery.Receipt) (known, next bool, err error) {
	if len(rec.Refs()) == 0 {
		return false, false, nil
	}
	var found, started bool
	var extended time.Time
	err = s.writeUrgent(ctx, func(t *tx) error {
		found, started, extended = false, false, time.Time{}
		r, err := s.deliveryOf(t, rec)
		if err != nil {
			return fmt.Errorf("record receipt: %w", err)
		}
		if r == nil {
			return nil
		}
		found = true
		told := s.HideInReceipt(r.otp.Record, rec)
		var changes []delivery.Change
		changes, r.reported = r.Told(told, r.standing(t.now))
		r.notes = report.NoteReceipt(r.Queued, t.now, told)
		started, extended, err = s.apply(t, r, changes)
		return err
	})
	if err != nil {
		return false, false, err
	}
	if !extended.IsZero() {
		s.highWater.Expects(extended)
	}
	return found, started, nil
}

// addNotes puts notes, given twice, behind those that are kept; NULL adds
// nothing, nor does what would be too much.
var addNotes = `CASE WHEN length(notes) > ` + strconv.Itoa(report.MaxNotes) + ` THEN notes ELSE coalesce(CAST(notes || ? AS BLOB), ?, notes) END`

var updateDelivery = `UPDATE deliveries SET state = ?, next_step = ?, tries = ?, reported = ?, due_at = ?, again_until = ?, lease_node = NULL,
	carrier = ?, ref = ?, sealed = ?, notes = ` + addNotes + ` WHERE account_id = ? AND otp = ? AND seq = ?`

// apply writes what rules made of a delivery, one change after the other, and
// queues the plan's next step where the last asks for it. extended is until when the
// OTP is to last, zero for no change.
func (s *Store) apply(t *tx, r *deliveryRow, changes []delivery.Change) (started bool, extended time.Time, err error) {
	if len(changes) == 0 {
		return false, extended, nil
	}
	last := changes[len(changes)-1]
	d := last.Delivery
	sealed := r.sealed
	if last.Done && !r.otp.resendable {
		sealed = nil // nothing can be sent with it any more (C-05)
	}
	_, err = t.exec(updateDelivery, d.State, d.Next, d.Tries, r.reported, column.OptionalMicros(d.Due), column.OptionalMicros(d.AgainUntil),
		column.OptionalText(d.Carrier), column.OptionalText(d.Ref), sealed, r.notes, r.notes, r.otp.accountID, r.otp.seq, d.Seq)
	if err != nil {
		return false, extended, fmt.Errorf("write delivery: %w", err)
	}
	for _, c := range changes {
		if c.ByID {
			if _, err := t.exec(insertDeliveryID, r.otp.accountID, r.otp.seq, d.Seq); err != nil {
				return false, extended, fmt.Errorf("write delivery: %w", err)
			}
		}
		if c.Event != nil {
			if err := t.recordEvent(&r.otp, *c.Event, t.now); err != nil {
				return false, extended, err
			}
		}
	}
	if last.Extend.After(r.otp.Expires) {
		r.otp.Expires = last.Extend
		if err := t.saveLife(&r.otp); err != nil {
			return false, extended, err
		}
	}
	if last.StartNext {
		started, err = s.startNext(t, r, d)
	}
	return started, last.Extend, err
}

// startNext queues the step after a failed delivery. A step that a limit
// refuses is reported as undeliverable and the next one tried (L-04).
func (s *Store) startNext(t *tx, r *deliveryRow, failed delivery.Delivery) (bool, error) {
	var count, seq int // a resend may have been queued behind the failed step
	if err := t.row(countDeliveries, r.otp.accountID, r.otp.seq).Scan(&count, &seq); err != nil {
		return false, fmt.Errorf("count deliveries: %w", err)
	}
	for at := failed.Next; at >= 0; {
		step, ok := r.plan.Step(at)
		if !ok || r.sealed == nil {
			return false, nil
		}
		next := -1
		if at+1 < len(r.plan.Steps) {
			next = at + 1
		}
		seq++
		count++
		dedupe := uuid.New()
		_, err := t.exec(insertDelivery, r.otp.accountID, r.otp.seq, seq, at, next, column.Micros(t.now), column.Micros(t.now), dedupe[:], nil, r.sealed)
		if err != nil {
			return false, fmt.Errorf("queue next step: %w", err)
		}
		if refused, err := s.capped(t, r, verify.SendOf(step.Channel, count-1)); err != nil || !refused {
			return err == nil, err
		}
		over := delivery.Delivery{Key: delivery.Key{Account: r.Account, OTPID: r.OTPID, Seq: seq}, StepAt: at, Next: next, State: delivery.Queued, Channel: step.Channel, Queued: t.now}
		c := over.Fail(delivery.CapReached)
		_, err = t.exec(updateDelivery, c.Delivery.State, next, 0, false, nil, nil, nil, nil, nil, nil, nil, r.otp.accountID, r.otp.seq, seq)
		if err != nil {
			return false, fmt.Errorf("refuse next step: %w", err)
		}
		if err := t.recordEvent(&r.otp, *c.Event, t.now); err != nil {
			return false, err
		}
		at = next
	}
	return false, nil
}

// capped asks the limits whether one more step may be sent, and counts it if so.
func (s *Store) capped(t *tx, r *deliveryRow, send guard.Send) (bool, error) {
	if !r.otp.limited || s.stepRules.Load() == nil {
		return false, nil
	}
	rules := *s.stepRules.Load()
	if !rules.LimitsSends() {
		return false, nil
	}
	g, err := t.tally(r.otp.accountID, r.otp.recipientKey)
	if err != nil {
		return false, err
	}
	if g.admitSend(rules, send, t.now) != nil {
		return true, nil //nolint:nilerr // a refusal is an answer
	}
	return false, t.saveTally(g)
}

// LimitSteps sets the rules that a plan's fallback steps are counted by. Sends
// and checks carry theirs with them.
func (s *Store) LimitSteps(rules guard.Rules) { s.stepRules.Store(&rules) }
