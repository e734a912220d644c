package registry

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/store/column"
)

// BeginQuarantine notes under QuarantineName ($1) that the database is quarantined
// since a time ($2), unless it is so already.
const BeginQuarantine = `INSERT INTO versions (name, value) VALUES ($1, $2)
	ON CONFLICT (name) DO UPDATE SET value = CASE versions.value WHEN 0 THEN excluded.value ELSE versions.value END`

// Quarantined returns since when the database is quarantined (D-10), zero if it
// is not. It is cheap: asked before everything that the quarantine forbids.
func (r *Registry) Quarantined(ctx context.Context) (time.Time, error) {
	us, err := r.db.Version(ctx, QuarantineKey)
	return column.FromMicros(us), err
}

// BeginQuarantine quarantines the database, for every process that uses it.
// One that is quarantined stays so.
func (r *Registry) BeginQuarantine(ctx context.Context) error {
	err := r.db.Write(ctx, func(t Tx) error {
		_, err := t.Exec(BeginQuarantine, QuarantineName, column.Micros(t.Now()))
		return err
	})
	r.db.Changed(QuarantineKey)
	if err != nil {
		return fmt.Errorf("begin the quarantine: %w", err)
	}
	return nil
}
