package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/verify"
)

// All deliveries of an OTP that is locked: how many there are, the last, and
// the newest code that is still sealed. uses deliveries_pkey.
const selectSent = `SELECT count(*), coalesce(max(seq), 0),
	(array_agg(sealed ORDER BY seq DESC) FILTER (WHERE sealed IS NOT NULL))[1]
	FROM deliveries WHERE account_id = $1 AND otp = $2`

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
		t.only(accountID)
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
		plan, err := row.decodePlan()
		if err != nil {
			return err
		}
		at := plan.Find(n.Channel)
		if at < 0 {
			return verify.ErrNotFound
		}
		var count, last int
		var sealed []byte
		if err := t.row(selectSent, accountID, row.seq).Scan(&count, &last, &sealed); err != nil {
			return fmt.Errorf("count deliveries: %w", err)
		}
		if sealed == nil {
			return verify.ErrNotFound
		}
		if row.limited && n.Rules.LimitsSends() {
			if err := t.admitSend(accountID, row.recipientKey, n.Rules, verify.SendOf(n.Channel, count)); err != nil {
				return err
			}
		}
		t.put(insertDelivery, accountID, row.seq, last+1, at, -1, column.Micros(t.now), column.Micros(t.now), dedupe[:], column.OptionalText(n.Sender), sealed)
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
