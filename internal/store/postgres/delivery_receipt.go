package postgres

import (
	"context"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/store/registry"
)

const (
	// uses deliveries_ref_idx.
	selectByRef = `SELECT d.account_id, o.id, d.seq
		FROM deliveries d JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
		WHERE d.ref = $1 AND d.carrier = $2 AND d.ref IS NOT NULL ORDER BY d.queued_at DESC LIMIT 1`
	// uses delivery_ids_dedupe_idx, then deliveries_pkey and otps_pkey.
	selectByDedupe = `SELECT d.account_id, o.id, d.seq FROM delivery_ids i
		JOIN deliveries d ON d.account_id = i.account_id AND d.otp = i.otp AND d.seq = i.seq AND d.dedupe = i.dedupe
		JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
		WHERE i.dedupe = $1 AND d.carrier = $2`
	insertDeliveryID = `INSERT INTO delivery_ids (account_id, otp, seq, dedupe)
		SELECT account_id, otp, seq, dedupe FROM deliveries WHERE account_id = $1 AND otp = $2 AND seq = $3
		ON CONFLICT (account_id, otp, seq) DO UPDATE SET dedupe = excluded.dedupe`
)

// deliveryOf finds the delivery that a receipt tells of; false if nobody knows
// it.
func (s *Store) deliveryOf(ctx context.Context, rec delivery.Receipt) (key deliveryKey, ok bool, err error) {
	find := func(query string, by any) (deliveryKey, bool, error) {
		return registry.First(s.pooled(ctx), scanDeliveryKey, query, by, rec.Carrier)
	}
	if dedupe, invalid := uuid.Parse(rec.ID); invalid == nil {
		if key, ok, err = find(selectByDedupe, dedupe[:]); ok || err != nil {
			return key, ok, err
		}
	}
	for _, ref := range rec.Refs() {
		if key, ok, err = find(selectByRef, ref); ok || err != nil {
			return key, ok, err
		}
	}
	return key, false, nil
}
