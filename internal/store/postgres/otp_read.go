package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// OTP implements verify.Store.
func (s *Store) OTP(ctx context.Context, ref verify.Ref) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return verify.Record{}, err
	}
	row, ok, err := registry.First(s.scoped(ctx, accountID), scanOTP, selectOTP, accountID, column.EncodeID(ref.ID), ref.Origin)
	if err != nil {
		return verify.Record{}, readError("read otp", err)
	}
	if !ok {
		return verify.Record{}, verify.ErrNotFound
	}
	row.Account = ref.Account
	return row.as(s.Now()), nil
}

func scanOTP(row scanner) (r otpRow, err error) {
	err = r.scan(row)
	return r, err
}

// OTPs implements verify.Store.
func (s *Store) OTPs(ctx context.Context, q verify.ListQuery) ([]verify.Record, error) {
	accountID, err := s.AccountID(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	args := []any{accountID, q.Origin, column.Micros(now)}
	also := func(arg any) string {
		args = append(args, arg)
		return "$" + strconv.Itoa(len(args))
	}
	var where strings.Builder
	where.WriteString("o.account_id = $1 AND o.origin = $2 AND $3::bigint > 0")
	if q.RecipientKey != [16]byte{} { // uses otps_recipient_idx
		where.WriteString(" AND o.recipient_key = " + also(q.RecipientKey[:]))
	}
	if len(q.States) > 0 {
		var states []string
		for _, state := range q.States {
			switch state {
			case otp.Active:
				states = append(states, "o.state = 1 AND o.expires_at > $3")
			case otp.Expired:
				states = append(states, "o.state = 3 OR o.state = 1 AND o.expires_at <= $3")
			case otp.Verified, otp.TooManyAttempts:
				states = append(states, "o.state = "+also(int16(state)))
			}
		}
		where.WriteString(" AND (" + strings.Join(states, " OR ") + ")")
	}
	// By seq, which the index has and which is the order of creation but for sends
	// in parallel: those may be numbered in another order than they were timed in.
	rows, err := registry.Collect(s.scoped(ctx, accountID), scanOTP, "SELECT "+otpColumns+" FROM otps o WHERE "+where.String()+
		" ORDER BY o.seq DESC LIMIT "+also(q.Limit), args...)
	if err != nil {
		return nil, readError("list otps", err)
	}
	var recs []verify.Record
	for _, row := range rows {
		row.Account = q.Account
		recs = append(recs, row.as(now))
	}
	slices.SortStableFunc(recs, func(a, b verify.Record) int { return b.Created.Compare(a.Created) })
	return slices.Clip(recs), nil
}

// What belongs to one OTP.
var deleteOTPRows = [...]string{
	"DELETE FROM callbacks WHERE account_id = $1 AND otp = $2",
	"DELETE FROM events WHERE account_id = $1 AND otp = $2",
	"DELETE FROM delivery_ids WHERE account_id = $1 AND otp = $2",
	"DELETE FROM deliveries WHERE account_id = $1 AND otp = $2",
	"DELETE FROM otps WHERE account_id = $1 AND seq = $2",
}

// DeleteOTP implements verify.Store.
func (s *Store) DeleteOTP(ctx context.Context, ref verify.Ref, i verify.Idempotency) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return verify.Record{}, err
	}
	var rec verify.Record
	err = s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		t.only(accountID)
		if found, err := t.repeat(accountID, i, &rec); found || err != nil {
			return err
		}
		row, err := t.loadOTP(accountID, ref)
		if err != nil {
			return err
		}
		t.deleteOTP(accountID, row.seq)
		rec = row.as(t.now)
		return t.remember(accountID, i, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	return rec, nil
}

// deleteOTP removes an OTP that is locked.
func (t *tx) deleteOTP(accountID, seq int64) {
	for _, query := range deleteOTPRows {
		t.put(query, accountID, seq)
	}
}

// uses otps_id_key, events_pkey.
const selectEvents = `SELECT coalesce(e.seq, 0), coalesce(e.at, 0), coalesce(e.kind, 0), coalesce(e.delivery, 0), coalesce(e.channel, ''),
	coalesce(e.carrier, ''), e.failure_area, coalesce(e.failure_code, ''), coalesce(e.failure_text, '')
	FROM otps o LEFT JOIN events e ON e.account_id = o.account_id AND e.otp = o.seq
	WHERE o.account_id = $1 AND o.id = $2 AND o.origin = $3 ORDER BY e.seq`

// Events implements verify.Store.
func (s *Store) Events(ctx context.Context, ref verify.Ref) ([]otp.Event, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return nil, err
	}
	events, err := registry.Collect(s.scoped(ctx, accountID), scanEvent, selectEvents, accountID, column.EncodeID(ref.ID), ref.Origin)
	switch {
	case err != nil:
		return nil, readError("read events", err)
	case len(events) == 0:
		return nil, verify.ErrNotFound
	case events[0].Seq == 0: // the OTP alone
		return nil, nil
	}
	return events, nil
}

// scanEvent reads the columns of an event.
func scanEvent(row scanner) (e otp.Event, err error) {
	var into eventScan
	if err := row.Scan(into.dest()...); err != nil {
		return e, fmt.Errorf("read event: %w", err)
	}
	return into.event(), nil
}

// eventScan receives an event's columns.
type eventScan struct {
	e    otp.Event
	at   int64
	kind int16
	area *string
	f    otp.Failure
}

func (s *eventScan) dest() []any {
	return []any{&s.e.Seq, &s.at, &s.kind, &s.e.Delivery, &s.e.Channel, &s.e.Carrier, &s.area, &s.f.Code, &s.f.Text}
}

func (s *eventScan) event() otp.Event {
	s.e.At, s.e.Kind = column.FromMicros(s.at), otp.EventKind(s.kind) //nolint:gosec // written from such
	if s.area != nil {
		s.f.Area = *s.area
		s.e.Failure = &s.f
	}
	return s.e
}
