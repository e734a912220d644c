package sqlite

import (
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
)

const (
	// uses deliveries_ref_idx.
	selectByRef = `SELECT ` + otpColumns + `, ` + deliveryColumns + fromDeliveries +
		`WHERE d.ref = ? AND d.carrier = ? AND d.ref IS NOT NULL ORDER BY d.queued_at DESC LIMIT 1`
	// uses delivery_ids_dedupe_idx, then deliveries_pkey and the OTPs' primary key.
	selectByDedupe = `SELECT ` + otpColumns + `, ` + deliveryColumns + ` FROM delivery_ids i
		JOIN deliveries d ON d.account_id = i.account_id AND d.otp = i.otp AND d.seq = i.seq AND d.dedupe = i.dedupe
		JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp
		WHERE i.dedupe = ? AND d.carrier = ?`
	insertDeliveryID = `INSERT INTO delivery_ids (account_id, otp, seq, dedupe)
		SELECT account_id, otp, seq, dedupe FROM deliveries WHERE account_id = ? AND otp = ? AND seq = ?
		ON CONFLICT (account_id, otp, seq) DO UPDATE SET dedupe = excluded.dedupe`
)

// deliveryOf reads the delivery that a receipt tells of, nil if nobody knows it.
func (s *Store) deliveryOf(t *tx, rec delivery.Receipt) (*deliveryRow, error) {
	find := func(query string, by any) (*deliveryRow, error) {
		r, err := s.scanDelivery(t, t.row(query, by, rec.Carrier))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil //nolint:nilnil // as said above
		}
		return r, err
	}
	if dedupe, err := uuid.Parse(rec.ID); err == nil {
		if r, err := find(selectByDedupe, dedupe[:]); r != nil || err != nil {
			return r, err
		}
	}
	for _, ref := range rec.Refs() {
		if r, err := find(selectByRef, ref); r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil //nolint:nilnil // as said above
}
