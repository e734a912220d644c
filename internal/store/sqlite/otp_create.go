package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

const insertOTP = `INSERT INTO otps (account_id, id, origin, state, allowed, form, code_length, bound, resendable, limited,
	created_at, expires_at, life, key_id, digest, recipient, recipient_key, profile_id, application_id, reference, plan, country)
	VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (account_id, id) DO NOTHING`

const insertDelivery = `INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, due_at, dedupe, sender, sealed)
	VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)`

// CreateOTP implements verify.Store.
func (s *Store) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, n.Account)
	if err != nil {
		return verify.Record{}, err
	}
	plan := n.Plan.Encoded()
	dedupe, err := uuid.Parse(n.Dedupe)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	country := s.countries.Of(n.Recipient)
	var rec verify.Record
	err = s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		if found, err := t.repeat(accountID, n.Idempotency, &rec); found || err != nil {
			return err
		}
		now := t.now.Truncate(time.Millisecond) // as every API shows it
		limits, err := t.tally(accountID, n.RecipientKey[:])
		if err != nil {
			return err
		}
		if n.Limited && n.Rules.LimitsSends() {
			if err := limits.admitSend(n.Rules, 0, t.now); err != nil {
				return err
			}
		}
		rec = verify.Record{
			Ref: n.Ref, Recipient: n.Recipient, Reference: n.Reference,
			ProfileID: n.ProfileID, ApplicationID: n.ApplicationID, Life: n.Life,
			OTP: otp.OTP{
				State: otp.Active, Allowed: n.Allowed, Created: now, Expires: now.Add(n.Life),
				Rule: n.Rule, Key: n.Key, Digest: n.Digest,
			},
		}
		seq, taken, err := t.insertOTP(accountID, n, rec, plan, country)
		if err != nil {
			return fmt.Errorf("write otp: %w", err)
		}
		if taken {
			return verify.ErrIDTaken
		}
		if err := t.addRecipient(limits, seq); err != nil {
			return err
		}
		next := -1
		if len(n.Plan.Steps) > 1 {
			next = 1
		}
		_, err = t.exec(insertDelivery, accountID, seq, 1, 0, next, column.Micros(t.now), column.Micros(t.now), dedupe[:], nil, n.Sealed)
		if err != nil {
			return fmt.Errorf("write delivery: %w", err)
		}
		return t.remember(accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	s.expects(rec.Expires)
	return rec, nil
}

func (t *tx) insertOTP(accountID int64, n verify.NewOTP, rec verify.Record, plan []byte, country string) (seq int64, taken bool, err error) {
	changed, err := t.exec(insertOTP, accountID, column.EncodeID(n.ID), n.Origin, n.Allowed,
		n.Rule.Form, n.Rule.Length, n.Rule.Bound, n.Resendable, n.Limited,
		column.Micros(rec.Created), column.Micros(rec.Expires), n.Life.Microseconds(), int64(n.Key), n.Digest[:],
		n.Recipient.Reveal(), n.RecipientKey[:], column.OptionalID(n.ProfileID), column.OptionalID(n.ApplicationID),
		column.OptionalText(n.Reference), string(plan), column.OptionalText(country))
	if err != nil || changed == 0 {
		return 0, true, err
	}
	return t.conn.LastInsertRowID(), false, nil
}

// uses deliveries_pkey; the newest delivery that still has its code.
const selectSealed = `SELECT seq, sealed FROM deliveries WHERE account_id = ? AND otp = ? AND sealed IS NOT NULL ORDER BY seq DESC LIMIT 1`

const countDeliveries = `SELECT count(*), coalesce(max(seq), 0) FROM deliveries WHERE account_id = ? AND otp = ?`

// AddDelivery implements verify.Store.
func (s *Store) AddDelivery(ctx context.Context, n verify.NewDelivery) (verify.Record, error) {
	accountID, err := s.AccountID(ctx, n.Account)
	if err != nil {
		return verify.Record{}, err
	}
	dedupe, err := uuid.Parse(n.Dedupe)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	var rec verify.Record
	err = s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		if found, err := t.repeat(accountID, n.Idempotency, &rec); found || err != nil {
			return err
		}
		row, err := t.loadOTP(accountID, n.Ref)
		if err != nil {
			return err
		}
		if row.At(t.now).Final() {
			return verify.ErrEnded
		}
		plan, err := s.decodePlan(row)
		if err != nil {
			return err
		}
		at := plan.Find(n.Channel)
		if at < 0 {
			return verify.ErrNotFound
		}
		var count, last, from int
		var sealed []byte
		switch err := t.row(selectSealed, accountID, row.seq).Scan(&from, &sealed); {
		case errors.Is(err, sql.ErrNoRows):
			return verify.ErrNotFound
		case err != nil:
			return fmt.Errorf("read the sealed code: %w", err)
		}
		if err := t.row(countDeliveries, accountID, row.seq).Scan(&count, &last); err != nil {
			return fmt.Errorf("count deliveries: %w", err)
		}
		if row.limited && n.Rules.LimitsSends() {
			limits, err := t.tally(accountID, row.recipientKey)
			if err != nil {
				return err
			}
			if err := limits.admitSend(n.Rules, count, t.now); err != nil {
				return err
			}
			if err := t.saveTally(limits); err != nil {
				return err
			}
		}
		_, err = t.exec(insertDelivery, accountID, row.seq, last+1, at, -1, column.Micros(t.now), column.Micros(t.now), dedupe[:], column.OptionalText(n.Sender), sealed)
		if err != nil {
			return fmt.Errorf("write delivery: %w", err)
		}
		rec = row.as(t.now)
		return t.remember(accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	return rec, nil
}

var _ verify.Store = (*Store)(nil)

var _ delivery.Store = (*Store)(nil)
