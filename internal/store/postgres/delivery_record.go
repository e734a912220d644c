package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// RecordSubmits implements delivery.Store.
func (s *Store) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	keys := make([]deliveryKey, 0, len(outcomes))
	known := make([]delivery.SubmitOutcome, 0, len(outcomes))
	for _, o := range outcomes {
		accountID, err := s.AccountID(ctx, o.Account)
		if errors.Is(err, registry.ErrNoAccount) {
			continue // a failover lost it, and the delivery with it
		}
		if err != nil {
			return false, fmt.Errorf("record submit: %w", err)
		}
		keys, known = append(keys, deliveryKey{accountID, column.EncodeID(o.OTPID), o.Seq}), append(known, o)
	}
	if len(known) == 0 {
		return false, nil
	}
	var started bool
	var latest time.Time
	err := s.write(ctx, func(t *tx) error {
		started, latest = false, time.Time{}
		t.put(byKeys)
		rows, err := t.deliveries(keys)
		if err != nil {
			return err
		}
		for _, i := range byRecipient(rows) {
			next, until, err := t.recordSubmit(rows[i], known[i])
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
		s.clock.mark.Expects(latest)
	}
	return started, nil
}

// byRecipient returns where the rows are that were not deleted meanwhile. Each may
// start a next step, for which it locks what limits remember: hence the order.
func byRecipient(rows []*deliveryRow) []int {
	var at []int
	for i, r := range rows {
		if r != nil {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(i, j int) int {
		a, b := rows[i].otp, rows[j].otp
		return tallyOrder(a.accountID, a.recipientKey, b.accountID, b.recipientKey)
	})
	return at
}

func (t *tx) recordSubmit(r *deliveryRow, o delivery.SubmitOutcome) (started bool, extended time.Time, err error) {
	o = t.store.HideInOutcome(r.otp.Record, o)
	changes, reported := r.Answered(o, r.standing(t.now))
	r.reported, r.notes = reported, report.NoteOutcome(r.Queued, t.now, o)
	return t.apply(r, changes)
}

// A wait whose OTP another transaction holds is passed over until the next
// call. uses deliveries_due_idx, then the OTPs' primary key.
const claimWaits = `SELECT d.account_id, o.id, d.seq
	FROM deliveries d JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
	WHERE d.state = 2 AND d.due_at <= $1 ORDER BY d.due_at LIMIT $2 FOR UPDATE OF o, d SKIP LOCKED`

// EndWaits implements delivery.Store.
func (s *Store) EndWaits(ctx context.Context, limit int) (ended int, next bool, err error) {
	_, due, err := s.dueNow(ctx)
	if err != nil || due == 0 || due > column.Micros(s.Now()) {
		return 0, false, err
	}
	var n int
	var started bool
	err = s.write(ctx, func(t *tx) error {
		n, started = 0, false
		t.put(byKeys)
		keys, err := registry.Collect(t.query, scanDeliveryKey, claimWaits, column.Micros(t.now), limit)
		if err != nil || len(keys) == 0 {
			return err
		}
		rows, err := t.deliveries(keys)
		if err != nil {
			return err
		}
		for _, i := range byRecipient(rows) {
			r := rows[i]
			c, ok := r.WaitOver(r.otp.At(t.now), t.now)
			if !ok {
				continue
			}
			next, _, err := t.apply(r, []delivery.Change{c})
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
	// A reference that never was costs no transaction.
	key, ok, err := s.deliveryOf(ctx, rec)
	if err != nil {
		return false, false, readError("look for a receipt's delivery", err)
	}
	if !ok {
		return false, false, nil
	}
	var found, started bool
	var extended time.Time
	err = s.write(ctx, func(t *tx) error {
		found, started, extended = false, false, time.Time{}
		t.put(byKeys)
		rows, err := t.deliveries([]deliveryKey{key})
		if err != nil || rows[0] == nil {
			return err
		}
		found = true
		r := rows[0]
		told := s.HideInReceipt(r.otp.Record, rec)
		var changes []delivery.Change
		changes, r.reported = r.Told(told, r.standing(t.now))
		r.notes = report.NoteReceipt(r.Queued, t.now, told)
		started, extended, err = t.apply(r, changes)
		return err
	})
	if err != nil {
		return false, false, err
	}
	if !extended.IsZero() {
		s.clock.mark.Expects(extended)
	}
	return found, started, nil
}

var updateDelivery = `UPDATE deliveries SET state = $1, next_step = $2, tries = $3, reported = $4, due_at = $5, lease_node = NULL,
	carrier = $6, ref = $7, sealed = $8,
	notes = CASE WHEN length(notes) > ` + strconv.Itoa(report.MaxNotes) + ` THEN notes ELSE coalesce(notes || $12::bytea, $12, notes) END,
	again_until = $13
	WHERE account_id = $9 AND otp = $10 AND seq = $11`

// apply writes what rules made of a delivery, one change after the other, and
// queues the plan's next step where the last asks for it. extended is until when the
// OTP is to last, zero for no change.
func (t *tx) apply(r *deliveryRow, changes []delivery.Change) (started bool, extended time.Time, err error) {
	if len(changes) == 0 {
		return false, extended, nil
	}
	last := changes[len(changes)-1]
	d := last.Delivery
	sealed := r.sealed
	if last.Done && !r.otp.resendable {
		sealed = nil // nothing can be sent with it any more (C-05)
	}
	t.put(updateDelivery, int16(d.State), d.Next, d.Tries, r.reported, column.OptionalMicros(d.Due),
		column.OptionalText(d.Carrier), column.OptionalText(d.Ref), sealed, r.otp.accountID, r.otp.seq, d.Seq, r.notes, column.OptionalMicros(d.AgainUntil))
	for _, c := range changes {
		if c.ByID {
			t.put(insertDeliveryID, r.otp.accountID, r.otp.seq, d.Seq)
		}
		if c.Event != nil {
			if err := t.recordEvent(r.otp, *c.Event); err != nil {
				return false, extended, err
			}
		}
	}
	if last.Extend.After(r.otp.Expires) {
		r.otp.Expires = last.Extend
		t.saveLife(r.otp)
	}
	if last.StartNext {
		started, err = t.startNext(r, d)
	}
	return started, last.Extend, err
}

// startNext queues the step after a failed delivery. A step that a limit
// refuses is reported as undeliverable and the next one tried (L-04).
func (t *tx) startNext(r *deliveryRow, failed delivery.Delivery) (bool, error) {
	for at := failed.Next; at >= 0; {
		step, ok := r.plan.Step(at)
		if !ok || r.sealed == nil {
			return false, nil
		}
		next := -1
		if at+1 < len(r.plan.Steps) {
			next = at + 1
		}
		sent := r.otp.last
		r.otp.last++
		seq := r.otp.last
		dedupe := uuid.New()
		t.put(insertDelivery, r.otp.accountID, r.otp.seq, seq, at, next, column.Micros(t.now), column.Micros(t.now), dedupe[:], nil, r.sealed)
		if refused, err := t.capped(r, verify.SendOf(step.Channel, sent)); err != nil || !refused {
			return err == nil, err
		}
		over := delivery.Delivery{
			Key: delivery.Key{Account: r.Account, OTPID: r.OTPID, Seq: seq}, StepAt: at, Next: next,
			State: delivery.Queued, Channel: step.Channel, Queued: t.now,
		}
		c := over.Fail(delivery.CapReached)
		t.put(updateDelivery, int16(c.Delivery.State), next, 0, false, nil, nil, nil, nil, r.otp.accountID, r.otp.seq, seq, nil, nil)
		if err := t.recordEvent(r.otp, *c.Event); err != nil {
			return false, err
		}
		at = next
	}
	return false, nil
}

// capped asks the limits whether one more step may be sent, and counts it if so.
func (t *tx) capped(r *deliveryRow, send guard.Send) (bool, error) {
	if !r.otp.limited || t.store.stepRules.Load() == nil {
		return false, nil
	}
	rules := *t.store.stepRules.Load()
	if !rules.LimitsSends() {
		return false, nil
	}
	g, err := t.tally(r.otp.accountID, r.otp.recipientKey)
	if err != nil {
		return false, err
	}
	if rules.AdmitSend(&g, send, t.now) != nil {
		return true, nil
	}
	t.saveTally(r.otp.accountID, r.otp.recipientKey, g)
	return false, nil
}

// LimitSteps sets the rules that a plan's fallback steps are counted by. Sends
// and checks carry theirs with them.
func (s *Store) LimitSteps(rules guard.Rules) { s.stepRules.Store(&rules) }
