package sqlite

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

const (
	readQuarantine = `SELECT coalesce((SELECT value FROM versions WHERE name = ?), 0)`
	endQuarantine  = `UPDATE versions SET value = 0 WHERE name = ? AND value <> 0`
	// What was to be handed over may have been since the copy was made, by whom
	// nobody knows: nothing is told of it. What was handed over waits no longer.
	// uses deliveries_due_idx.
	endOpenDeliveries = `UPDATE deliveries SET due_at = CASE WHEN state = 2 OR again_until IS NOT NULL THEN min(due_at, ?) END,
		state = CASE WHEN state = 1 AND again_until IS NOT NULL THEN 2 ELSE state END, lease_node = NULL, sealed = NULL
		WHERE state IN (1, 2) AND due_at IS NOT NULL`
	// uses otps_open_idx.
	endOpenOTPs = `UPDATE otps SET expires_at = ?1 WHERE state = 1 AND expires_at > ?1`
)

// EndQuarantine releases the database and returns how many OTPs were open. Their
// time is over in the same transaction: nobody knows whether their codes have
// been used since the copy was made. Of a database that is not quarantined
// nothing is changed.
func (s *Store) EndQuarantine(ctx context.Context) (open int, err error) {
	var n int64
	err = s.write(ctx, func(t *tx) error {
		n = 0
		was, err := t.exec(endQuarantine, registry.QuarantineName)
		if err != nil || was == 0 {
			return err
		}
		if n, err = t.exec(endOpenOTPs, column.Micros(t.now)); err != nil {
			return fmt.Errorf("end open otps: %w", err)
		}
		if _, err := t.exec(endOpenDeliveries, column.Micros(t.now)); err != nil {
			return fmt.Errorf("end open deliveries: %w", err)
		}
		return nil
	})
	s.changed(registry.QuarantineKey)
	if err != nil {
		return 0, fmt.Errorf("end the quarantine: %w", err)
	}
	return int(n), nil
}
