package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/store/column"
)

var _ audit.Store = (*Store)(nil)

// AppendAudit implements audit.Store.
func (s *Store) AppendAudit(ctx context.Context, seal func(seq int64, previous []byte, at time.Time) (audit.Sealed, error)) error {
	return s.write(ctx, func(t *tx) error {
		// The next number and link are one caller's at a time.
		t.put("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE")
		var seq int64
		var link []byte
		err := t.row("SELECT seq, link FROM audit ORDER BY seq DESC LIMIT 1").Scan(&seq, &link)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("read the last audit entry: %w", err)
		}
		e, err := seal(seq+1, link, t.now)
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO audit (seq, at, key_id, entry, link) VALUES ($1, $2, $3, $4, $5)",
			e.Seq, column.Micros(e.At), int64(e.Key), e.Text, e.Link)
		if err != nil {
			return fmt.Errorf("write an audit entry: %w", err)
		}
		return nil
	})
}
