package sqlite

import (
	"context"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
)

// AuditBefore returns at most limit audit entries with numbers below before,
// highest first.
func (s *Store) AuditBefore(ctx context.Context, before int64, limit int) ([]audit.Sealed, error) {
	entries, err := collect(s.pooled(ctx), scanAudit, "SELECT seq, at, key_id, entry, link FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", before, limit)
	if err != nil {
		return nil, s.readError("read audit entries", err)
	}
	return entries, nil
}

func scanAudit(rows rower) (e audit.Sealed, err error) {
	var at, key int64
	err = rows.Scan(&e.Seq, &at, &key, &e.Text, &e.Link)
	e.At, e.Key = column.FromMicros(at), otp.KeyID(key) //nolint:gosec // written from a KeyID
	return e, err                                       //nolint:wrapcheck // the caller says what it was doing
}
