package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const (
	// uses otps_id_key.
	selectStoryOTP = `SELECT ` + summaryColumns + `, o.seq, o.life FROM otps o
		LEFT JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq AND d.seq =
			(SELECT max(seq) FROM deliveries WHERE account_id = o.account_id AND otp = o.seq)
		WHERE o.account_id = ? AND o.id = ?`
	// uses deliveries_pkey.
	selectStoryDeliveries = `SELECT seq, state, step, next_step, tries, reported, queued_at, coalesce(due_at, 0),
		coalesce(again_until, 0), coalesce(sender, ''), coalesce(carrier, ''), coalesce(ref, ''), notes
		FROM deliveries WHERE account_id = ? AND otp = ? ORDER BY seq`
	// uses events_pkey.
	selectStoryEvents = `SELECT seq, at, kind, delivery, coalesce(channel, ''), coalesce(carrier, ''),
		failure_area, coalesce(failure_code, ''), coalesce(failure_text, ''), pushes
		FROM events WHERE account_id = ? AND otp = ? ORDER BY seq`
	// uses callbacks_order_idx.
	selectStoryCallbacks = `SELECT config_id, event_seq, attempts, coalesce(due_at, 0), last_status, last_problem
		FROM callbacks WHERE account_id = ? AND otp = ? ORDER BY event_seq, seq`
	selectStoryAddresses = `SELECT id, url FROM callback_configs WHERE account_id = ?`
)

// OTPRecord implements report.Store.
func (s *Store) OTPRecord(ctx context.Context, account, id string) (report.Record, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return report.Record{}, err
	}
	r := report.Record{Now: s.clock.Now()}
	found := false
	err = s.snapshot(ctx, func(q ask) error {
		var seq int64
		var err error
		if seq, found, err = s.storyOTP(q, &r, accountID, id); err != nil || !found {
			return err
		}
		if r.Deliveries, err = registry.Collect(q, func(rows rower) (report.Delivery, error) {
			return scanStoryDelivery(rows, &r)
		}, selectStoryDeliveries, accountID, seq); err != nil {
			return err
		}
		if r.Events, err = registry.Collect(q, scanStoryEvent, selectStoryEvents, accountID, seq); err != nil {
			return err
		}
		if r.Callbacks, err = registry.Collect(q, registry.ScanWaiting, selectStoryCallbacks, accountID, seq); err != nil {
			return err
		}
		r.Addresses = map[string]string{}
		_, err = registry.Collect(q, func(rows rower) (struct{}, error) {
			var id, url string
			err := rows.Scan(&id, &url)
			r.Addresses[id] = url
			return struct{}{}, err
		}, selectStoryAddresses, accountID)
		return err
	})
	switch {
	case err != nil:
		return report.Record{}, s.readError("read an otp's story", err)
	case !found:
		return report.Record{}, report.ErrNotFound
	}
	return r, nil
}

func (s *Store) storyOTP(q ask, r *report.Record, accountID int64, id string) (seq int64, found bool, err error) {
	var row summaryRow
	var life int64
	seq, found, err = registry.First(q, func(rows rower) (seq int64, err error) {
		err = rows.Scan(append(row.dest(&r.Summary), &seq, &life)...)
		return seq, err
	}, selectStoryOTP, accountID, column.EncodeID(id))
	if err != nil || !found {
		return 0, false, err
	}
	r.Life = time.Duration(life) * time.Microsecond
	if err := row.finish(s, &r.Summary, r.Now); err != nil {
		return 0, false, err
	}
	r.Plan, err = s.decodePlan(&otpRow{plan: row.plan})
	return seq, true, err
}

func scanStoryDelivery(rows rower, r *report.Record) (d report.Delivery, err error) {
	var queued, due, again int64
	var notes []byte
	err = rows.Scan(&d.Seq, &d.State, &d.StepAt, &d.Next, &d.Delivery.Tries, &d.Reported, &queued, &due,
		&again, &d.Sender, &d.Carrier, &d.Ref, &notes)
	if err != nil {
		return d, err
	}
	d.Queued, d.Due, d.AgainUntil = column.FromMicros(queued), column.FromMicros(due), column.FromMicros(again)
	if step, ok := r.Plan.Step(d.StepAt); ok {
		d.Channel = step.Channel
	}
	if d.Tries, d.GaveUp, err = report.Tries(notes, d.Queued, d.Carrier); err != nil {
		return d, fmt.Errorf("delivery %d: %w", d.Seq, err)
	}
	return d, nil
}

func scanStoryEvent(rows rower) (e report.Event, err error) {
	var at int64
	var area sql.NullString
	var f otp.Failure
	var pushes []byte
	err = rows.Scan(&e.Seq, &at, &e.Kind, &e.Delivery, &e.Channel, &e.Carrier, &area, &f.Code, &f.Text, &pushes)
	if err != nil {
		return e, err
	}
	e.At = column.FromMicros(at)
	if area.Valid {
		f.Area = area.String
		e.Failure = &f
	}
	if e.Pushes, err = report.Pushes(pushes); err != nil {
		return e, fmt.Errorf("event %d: %w", e.Seq, err)
	}
	return e, nil
}
