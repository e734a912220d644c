package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// uses callback_configs_profile_idx: configurations of other profiles are not
// read.
const selectConfigs = `SELECT id FROM callback_configs WHERE account_id = ? AND profile_id IN ('', ?) ORDER BY seq`

const insertCallback = `INSERT INTO callbacks (id, account_id, config_id, otp, event_seq, due_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`

// queueCallbacks matches the event with the account's configurations as they
// are now (callback events §2).
func (t *tx) queueCallbacks(row *otpRow, e otp.Event) error {
	configs, err := registry.Collect(t.query, registry.ScanText, selectConfigs, row.accountID, row.ProfileID)
	if err != nil {
		return fmt.Errorf("match callback configurations: %w", err)
	}
	for _, config := range configs {
		id := uuid.New()
		if _, err := t.exec(insertCallback, id[:], row.accountID, config, row.seq, e.Seq, column.Micros(t.now), column.Micros(t.now)); err != nil {
			return fmt.Errorf("queue callback: %w", err)
		}
	}
	return nil
}

// Events implements verify.Store.
func (s *Store) Events(ctx context.Context, ref verify.Ref) ([]otp.Event, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return nil, err
	}
	var seq int64
	err = s.read.QueryRowContext(ctx, "SELECT seq FROM otps WHERE account_id = ? AND id = ? AND origin = ?",
		accountID, column.EncodeID(ref.ID), ref.Origin).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, verify.ErrNotFound
	}
	if err != nil {
		return nil, s.readError("read otp", err)
	}
	events, err := registry.Collect(s.pooled(ctx), scanEvent, selectEvents, accountID, seq)
	if err != nil {
		return nil, s.readError("read events", err)
	}
	return events, nil
}

// uses events_pkey.
const selectEvents = `SELECT seq, at, kind, delivery, coalesce(channel, ''), coalesce(carrier, ''),
	failure_area, coalesce(failure_code, ''), coalesce(failure_text, '')
	FROM events WHERE account_id = ? AND otp = ? ORDER BY seq`

// scanEvent reads selectEvents.
func scanEvent(rows rower) (e otp.Event, err error) {
	var at int64
	var area sql.NullString
	var f otp.Failure
	err = rows.Scan(&e.Seq, &at, &e.Kind, &e.Delivery, &e.Channel, &e.Carrier, &area, &f.Code, &f.Text)
	e.At = column.FromMicros(at)
	if area.Valid {
		f.Area = area.String
		e.Failure = &f
	}
	return e, err
}
