package postgres

import (
	"context"

	"github.com/countersign/countersign/internal/audit"
)

// AuditBefore returns at most limit audit entries with numbers below before,
// highest first.
func (s *Store) AuditBefore(ctx context.Context, before int64, limit int) ([]audit.Sealed, error) {
	entries, err := collect(s.pooled(ctx), scanAudit, "SELECT seq, at, key_id, entry, link FROM audit WHERE seq < $1 ORDER BY seq DESC LIMIT $2", before, limit)
	if err != nil {
		return nil, readError("read audit entries", err)
	}
	return entries, nil
}
