package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// readError says what was being read; errors of the disk become
// verify.ErrUnavailable.
func (s *Store) readError(doing string, err error) error {
	return s.writer.unavailable(doing, fmt.Errorf("%s: %w", doing, err))
}

// OTP implements verify.Store.
func (s *Store) OTP(ctx context.Context, ref verify.Ref) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return verify.Record{}, err
	}
	var row otpRow
	row.Account = ref.Account
	err = row.scan(s.read.QueryRowContext(ctx, selectOTP, accountID, column.EncodeID(ref.ID), ref.Origin))
	if errors.Is(err, sql.ErrNoRows) {
		return verify.Record{}, verify.ErrNotFound
	}
	if err != nil {
		return verify.Record{}, s.readError("read otp", err)
	}
	return row.as(s.clock.Now()), nil
}

// OTPs implements verify.Store.
func (s *Store) OTPs(ctx context.Context, q verify.ListQuery) ([]verify.Record, error) {
	accountID, err := s.AccountID(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	var where strings.Builder
	from, order := "otps o", "o.seq" // uses otps_account_idx
	// Origins and states only leave OTPs out: the query may look at all of them.
	read := s.walking
	where.WriteString("o.account_id = ? AND o.origin = ?")
	args := []any{accountID, q.Origin}
	if q.RecipientKey != [16]byte{} { // uses recipients_pkey; some checks ask so, of few OTPs
		read = s.pooled
		from, order = "recipients r CROSS JOIN otps o ON o.seq = r.otp", "r.otp"
		where.WriteString(" AND r.account_id = ? AND r.recipient_key = ?")
		args = append(args, accountID, q.RecipientKey[:])
	}
	if len(q.States) > 0 {
		var states []string
		for _, state := range q.States {
			switch state {
			case otp.Active:
				states = append(states, "(o.state = 1 AND o.expires_at > ?)")
				args = append(args, column.Micros(now))
			case otp.Expired:
				states = append(states, "(o.state = 3 OR o.state = 1 AND o.expires_at <= ?)")
				args = append(args, column.Micros(now))
			case otp.Verified, otp.TooManyAttempts:
				states = append(states, "o.state = ?")
				args = append(args, state)
			}
		}
		where.WriteString(" AND (" + strings.Join(states, " OR ") + ")")
	}
	// Newest first by the order of creation, which seq keeps.
	recs, err := registry.Collect(read(ctx), func(rows rower) (verify.Record, error) {
		row := otpRow{}
		row.Account = q.Account
		err := row.scan(rows)
		return row.as(now), err
	}, "SELECT "+otpColumns+" FROM "+from+" WHERE "+where.String()+" ORDER BY "+order+" DESC LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, s.readError("list otps", err)
	}
	return recs, nil
}

// What belongs to one OTP.
var deleteOTPRows = [...]string{
	"DELETE FROM callbacks WHERE account_id = ? AND otp = ?",
	"DELETE FROM events WHERE account_id = ? AND otp = ?",
	"DELETE FROM delivery_ids WHERE account_id = ? AND otp = ?",
	"DELETE FROM deliveries WHERE account_id = ? AND otp = ?",
	"DELETE FROM otps WHERE account_id = ? AND seq = ?",
}

// DeleteOTP implements verify.Store.
func (s *Store) DeleteOTP(ctx context.Context, ref verify.Ref, i verify.Idempotency) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, ref.Account)
	if err != nil {
		return verify.Record{}, err
	}
	var rec verify.Record
	err = s.writeUrgent(ctx, func(t *tx) error {
		rec = verify.Record{}
		if found, err := t.repeat(accountID, i, &rec); found || err != nil {
			return err
		}
		row, err := t.loadOTP(accountID, ref)
		if err != nil {
			return err
		}
		if err := t.deleteOTP(otpKey{accountID, row.seq, row.recipientKey}); err != nil {
			return err
		}
		rec = row.as(t.now)
		return t.remember(accountID, i, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	return rec, nil
}

func (t *tx) deleteOTP(k otpKey) error {
	for _, query := range deleteOTPRows {
		if _, err := t.exec(query, k.account, k.seq); err != nil {
			return fmt.Errorf("delete otp: %w", err)
		}
	}
	return t.removeRecipient(k)
}
