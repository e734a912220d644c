package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const (
	// uses otps_id_key.
	selectStoryOTP = `SELECT ` + summaryColumns + `, o.seq, o.life FROM otps o` + newestDelivery + `WHERE o.account_id = $1 AND o.id = $2`
	// uses deliveries_pkey.
	selectStoryDeliveries = `SELECT seq, state, step, next_step, tries, reported, queued_at, coalesce(due_at, 0),
		coalesce(again_until, 0), coalesce(sender, ''), coalesce(carrier, ''), coalesce(ref, ''), notes
		FROM deliveries WHERE account_id = $1 AND otp = $2 ORDER BY seq`
	// uses events_pkey.
	selectStoryEvents = `SELECT seq, at, kind, delivery, coalesce(channel, ''), coalesce(carrier, ''),
		failure_area, coalesce(failure_code, ''), coalesce(failure_text, ''), pushes
		FROM events WHERE account_id = $1 AND otp = $2 ORDER BY seq`
	// uses callbacks_order_idx.
	selectStoryCallbacks = `SELECT config_id, event_seq, attempts, coalesce(due_at, 0), last_status, last_problem
		FROM callbacks WHERE account_id = $1 AND otp = $2 ORDER BY event_seq, seq`
	selectStoryAddresses = `SELECT id, url FROM callback_configs WHERE account_id = $1`
)

// OTPRecord implements report.Store.
func (s *Store) OTPRecord(ctx context.Context, account, id string) (report.Record, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return report.Record{}, err
	}
	r := report.Record{Now: s.Now(), Addresses: map[string]string{}}
	found := false
	err = s.snapshot(ctx, accountID, func(q ask) error {
		var seq int64
		var err error
		seq, found, err = registry.First(q, func(row scanner) (seq int64, err error) {
			var life int64
			r.Plan, err = scanSummary(row, &r.Summary, r.Now, &seq, &life)
			r.Life = time.Duration(life) * time.Microsecond
			return seq, err
		}, selectStoryOTP, accountID, column.EncodeID(id))
		if err != nil || !found {
			return err
		}
		if r.Deliveries, err = registry.Collect(q, func(row scanner) (report.Delivery, error) {
			return scanStoryDelivery(row, &r)
		}, selectStoryDeliveries, accountID, seq); err != nil {
			return err
		}
		if r.Events, err = registry.Collect(q, scanStoryEvent, selectStoryEvents, accountID, seq); err != nil {
			return err
		}
		if r.Callbacks, err = registry.Collect(q, registry.ScanWaiting, selectStoryCallbacks, accountID, seq); err != nil {
			return err
		}
		return q(func(row scanner) error {
			var id, url string
			err := row.Scan(&id, &url)
			r.Addresses[id] = url
			return err
		}, selectStoryAddresses, accountID)
	})
	switch {
	case err != nil:
		return report.Record{}, readError("read an otp's story", err)
	case !found:
		return report.Record{}, report.ErrNotFound
	}
	return r, nil
}

func scanStoryDelivery(row scanner, r *report.Record) (d report.Delivery, err error) {
	var queued, due, again int64
	var state int16
	var notes []byte
	err = row.Scan(&d.Seq, &state, &d.StepAt, &d.Next, &d.Delivery.Tries, &d.Reported, &queued, &due,
		&again, &d.Sender, &d.Carrier, &d.Ref, &notes)
	if err != nil {
		return d, err
	}
	d.State = delivery.State(state) //nolint:gosec // written from such
	d.Queued, d.Due, d.AgainUntil = column.FromMicros(queued), column.FromMicros(due), column.FromMicros(again)
	if step, ok := r.Plan.Step(d.StepAt); ok {
		d.Channel = step.Channel
	}
	if d.Tries, d.GaveUp, err = report.Tries(notes, d.Queued, d.Carrier); err != nil {
		return d, fmt.Errorf("delivery %d: %w", d.Seq, err)
	}
	return d, nil
}

func scanStoryEvent(row scanner) (e report.Event, err error) {
	var into eventScan
	var pushes []byte
	if err := row.Scan(append(into.dest(), &pushes)...); err != nil {
		return e, err
	}
	e.Event = into.event()
	if e.Pushes, err = report.Pushes(pushes); err != nil {
		return e, fmt.Errorf("event %d: %w", e.Seq, err)
	}
	return e, nil
}
