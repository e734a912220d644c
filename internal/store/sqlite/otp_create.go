package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
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
	dedupe, err := uuid.Parse(n.Dedupe)
	if err != nil {
		return verify.Record{}, fmt.Errorf("write delivery: %w", err)
	}
	job := send{n, accountID, n.Plan.Encoded(), dedupe, s.countries.Of(n.Recipient)}
	var rec verify.Record
	err = s.write(ctx, func(t *tx) error {
		rec = verify.Record{}
		if found, err := t.repeat(accountID, n.Idempotency, &rec); found || err != nil {
			return err
		}
		if err := t.create(&job, &rec); err != nil {
			return err
		}
		return t.remember(accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	s.highWater.Expects(rec.Expires)
	return rec, nil
}

// send is an OTP to be written, with what was made ready before the writer's
// turn.
type send struct {
	verify.NewOTP

	accountID int64
	plan      []byte
	dedupe    uuid.UUID
	country   string
}

// create admits and writes one send.
func (t *tx) create(n *send, rec *verify.Record) error {
	now := t.now.Truncate(time.Millisecond) // as every API shows it
	limits, err := t.tally(n.accountID, n.RecipientKey[:])
	if err != nil {
		return err
	}
	if n.Limited && n.Rules.LimitsSends() {
		if err := limits.admitSend(n.Rules, verify.SendOf(n.Plan.Steps[0].Channel, 0), t.now); err != nil {
			return err
		}
	}
	*rec = verify.Record{
		Ref: n.Ref, Recipient: n.Recipient, Reference: n.Reference,
		ProfileID: n.ProfileID, ApplicationID: n.ApplicationID, Life: n.Life,
		OTP: otp.OTP{
			State: otp.Active, Allowed: n.Allowed, Created: now, Expires: now.Add(n.Life),
			Rule: n.Rule, Key: n.Key, Digest: n.Digest,
		},
	}
	seq, taken, err := t.insertOTP(n, rec)
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
	_, err = t.exec(insertDelivery, n.accountID, seq, 1, 0, next, column.Micros(t.now), column.Micros(t.now), n.dedupe[:], nil, n.Sealed)
	if err != nil {
		return fmt.Errorf("write delivery: %w", err)
	}
	return nil
}

func (t *tx) insertOTP(n *send, rec *verify.Record) (seq int64, taken bool, err error) {
	changed, err := t.exec(insertOTP, n.accountID, column.EncodeID(n.ID), n.Origin, n.Allowed,
		n.Rule.Form, n.Rule.Length, n.Rule.Bound, n.Resendable, n.Limited,
		column.Micros(rec.Created), column.Micros(rec.Expires), n.Life.Microseconds(), int64(n.Key), n.Digest[:],
		n.Recipient.Reveal(), n.RecipientKey[:], column.OptionalID(n.ProfileID), column.OptionalID(n.ApplicationID),
		column.OptionalText(n.Reference), string(n.plan), column.OptionalText(n.country))
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
		if err := t.addDelivery(row, &n, dedupe); err != nil {
			return err
		}
		rec = row.as(t.now)
		return t.remember(accountID, n.Idempotency, rec)
	})
	if err != nil {
		return verify.Record{}, err
	}
	return rec, nil
}

// addDelivery admits and writes one more delivery of an OTP, with the code of the
// newest that still has it.
func (t *tx) addDelivery(row *otpRow, n *verify.NewDelivery, dedupe uuid.UUID) error {
	if row.At(t.now).Final() {
		return verify.ErrEnded
	}
	plan, err := t.store.decodePlan(row)
	if err != nil {
		return err
	}
	at := plan.Find(n.Channel)
	if at < 0 {
		return verify.ErrNotFound
	}
	var count, last, from int
	var sealed []byte
	switch err := t.row(selectSealed, row.accountID, row.seq).Scan(&from, &sealed); {
	case errors.Is(err, sql.ErrNoRows):
		return verify.ErrNotFound
	case err != nil:
		return fmt.Errorf("read the sealed code: %w", err)
	}
	if err := t.row(countDeliveries, row.accountID, row.seq).Scan(&count, &last); err != nil {
		return fmt.Errorf("count deliveries: %w", err)
	}
	if err := t.admitAgain(row, n.Rules, verify.SendOf(n.Channel, count)); err != nil {
		return err
	}
	_, err = t.exec(insertDelivery, row.accountID, row.seq, last+1, at, -1, column.Micros(t.now), column.Micros(t.now), dedupe[:], column.OptionalText(n.Sender), sealed)
	if err != nil {
		return fmt.Errorf("write delivery: %w", err)
	}
	return nil
}

// admitAgain counts one more send of an OTP that was sent before, or refuses it
// with *verify.LimitError.
func (t *tx) admitAgain(row *otpRow, rules guard.Rules, send guard.Send) error {
	if !row.limited || !rules.LimitsSends() {
		return nil
	}
	limits, err := t.tally(row.accountID, row.recipientKey)
	if err != nil {
		return err
	}
	if err := limits.admitSend(rules, send, t.now); err != nil {
		return err
	}
	return t.saveTally(limits)
}

var _ verify.Store = (*Store)(nil)

var _ delivery.Store = (*Store)(nil)
