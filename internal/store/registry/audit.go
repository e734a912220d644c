package registry

import (
	"context"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/column"
)

const (
	auditColumns = "SELECT seq, at, key_id, entry, link FROM audit"
	auditFrom    = auditColumns + " WHERE seq >= $1 ORDER BY seq LIMIT $2"
	auditBefore  = auditColumns + " WHERE seq < $1 ORDER BY seq DESC LIMIT $2"
)

// AuditEntries implements audit.Store.
func (r *Registry) AuditEntries(ctx context.Context, from int64, limit int) ([]audit.Sealed, error) {
	return r.audit(ctx, auditFrom, from, limit)
}

// AuditBefore returns at most limit audit entries with numbers below before,
// highest first.
func (r *Registry) AuditBefore(ctx context.Context, before int64, limit int) ([]audit.Sealed, error) {
	return r.audit(ctx, auditBefore, before, limit)
}

func (r *Registry) audit(ctx context.Context, query string, from int64, limit int) ([]audit.Sealed, error) {
	entries, err := Collect(r.db.Ask(ctx, 0), scanAudit, query, from, limit)
	if err != nil {
		return nil, r.db.ReadError("read audit entries", err)
	}
	return entries, nil
}

func scanAudit(row Row) (e audit.Sealed, err error) {
	var at, key int64
	err = row.Scan(&e.Seq, &at, &key, &e.Text, &e.Link)
	e.At, e.Key = column.FromMicros(at), otp.KeyID(key) //nolint:gosec // written from a KeyID
	return e, err
}
