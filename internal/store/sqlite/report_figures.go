package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// uses events_pkey: an OTP's few, the newest first.
const selectEventsBack = `SELECT seq, at, kind, coalesce(channel, ''), coalesce(carrier, '') FROM events
	WHERE account_id = ? AND otp = ? ORDER BY seq DESC`

// lastAndSent reads in one statement where the OTP's events end, and the one
// that tells of the message dispatched last; all zero if there is none.
func (t *tx) lastAndSent(row *otpRow) (lastSeq int, lastAt int64, sent otp.Event, err error) {
	err = t.query(func(events rower) error {
		var seq int
		var at int64
		var kind otp.EventKind
		if err := events.Scan(&seq, &at, &kind, &sent.Channel, &sent.Carrier); err != nil {
			return err
		}
		if lastSeq == 0 {
			lastSeq, lastAt = seq, at
		}
		if kind == otp.EventDispatched {
			sent.At = column.FromMicros(at)
			return errSeen
		}
		return nil
	}, selectEventsBack, row.accountID, row.seq)
	switch {
	case errors.Is(err, errSeen):
		return lastSeq, lastAt, sent, nil
	case err != nil:
		return 0, 0, otp.Event{}, err
	}
	return lastSeq, lastAt, otp.Event{}, nil
}

// errSeen ends a query whose further rows are of no interest.
var errSeen = errors.New("seen")

// count adds an event that was just written to the figures of its hour. sent
// is, with EventVerified, the event of the message dispatched last.
func (t *tx) count(row *otpRow, sent, e otp.Event) error {
	if !report.Counted(e.Kind) {
		return nil
	}
	plan, err := t.store.decodePlan(row)
	if err != nil {
		return err
	}
	f := report.OfMessage(row.accountID, row.Created, row.country, plan, e)
	if e.Kind == otp.EventVerified {
		f = report.OfVerification(row.accountID, row.Created, row.country, plan, sent, e)
	}
	t.totals.Add(f)
	return nil
}

// All use figures_pkey.
const (
	selectCounts = `SELECT counts FROM figures WHERE account_id = ? AND dimension = ? AND day = ? AND value = ?`
	upsertCounts = `INSERT INTO figures (account_id, dimension, day, value, counts) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account_id, dimension, day, value) DO UPDATE SET counts = excluded.counts`
)

// writeTotals adds what the transaction's work counted to the stored figures:
// once for all of it, so that a group pays for as many rows as it has values.
func (t *tx) writeTotals() error {
	err := t.totals.Each(func(c report.Cell, more *report.Day) error {
		var stored []byte
		err := t.row(selectCounts, c.Account, c.Dimension, c.Day, c.Value).Scan(&stored)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		day, err := report.DecodeDay(stored)
		if err != nil {
			return err //nolint:wrapcheck // said below
		}
		day.Add(more)
		_, err = t.exec(upsertCounts, c.Account, c.Dimension, c.Day, c.Value, day.Encode())
		return err
	})
	if err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}

// uses figures_pkey.
const selectFigures = `SELECT day, value, counts FROM figures
	WHERE account_id = ? AND dimension = ? AND day BETWEEN ? AND ? ORDER BY day, value`

// Figures implements report.Store.
func (s *Store) Figures(ctx context.Context, account string, d report.Dimension, from, to int64) ([]report.Row, error) {
	accountID, err := s.AccountID(ctx, account)
	if err != nil {
		return nil, err
	}
	rows, err := registry.Collect(s.pooled(ctx), func(rows rower) (r report.Row, err error) {
		err = rows.Scan(&r.Day, &r.Value, &r.Hours)
		return r, err
	}, selectFigures, accountID, d, from, to)
	if err != nil {
		return nil, s.readError("read figures", err)
	}
	return rows, nil
}

// uses figures_pkey.
const purgeFigures = `DELETE FROM figures WHERE (account_id, dimension, day, value) IN (
	SELECT account_id, dimension, day, value FROM figures WHERE account_id = ? AND dimension = ? AND day < ? LIMIT ?)`

// purgeFigures removes figures that were kept long enough.
func (s *Store) purgeFigures(ctx context.Context) error {
	accounts, err := registry.Collect(s.pooled(ctx), registry.ScanInt, "SELECT id FROM accounts")
	if err != nil {
		return s.readError("read accounts", err)
	}
	before := report.HourOf(s.clock.Now().Add(-upkeep.FiguresKept)) / 24
	for _, account := range accounts {
		for _, d := range report.Dimensions() {
			if _, err := s.DropAll(ctx, purgeFigures, account, d, before); err != nil {
				return err
			}
		}
	}
	return nil
}
