package sqlite

import (
	"context"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/store/registry"
)

// database is what the registry needs of a Store. Rows are not parted by
// account here, and the writer's transaction is the only one that changes any.
type database struct{ s *Store }

// Ask implements registry.Database.
func (d database) Ask(ctx context.Context, _ int64) registry.Ask { return numbered(d.s.pooled(ctx)) }

// Snapshot implements registry.Database.
func (d database) Snapshot(ctx context.Context, _ int64, f func(registry.Ask) error) error {
	return d.s.snapshot(ctx, func(q ask) error { return f(numbered(q)) })
}

// Write implements registry.Database.
func (d database) Write(ctx context.Context, f func(registry.Tx) error) error {
	return d.s.write(ctx, func(t *tx) error { return f(registryTx{t}) })
}

// Change implements registry.Database.
func (d database) Change(ctx context.Context, key int64, f func(registry.Tx) error) error {
	return d.s.change(ctx, key, func(t *tx) error { return f(registryTx{t}) })
}

// Version implements registry.Database.
func (d database) Version(ctx context.Context, key int64) (int64, error) {
	return d.s.version(ctx, key)
}

// Changed implements registry.Database.
func (d database) Changed(key int64) { d.s.changed(key) }

// Now implements registry.Database.
func (d database) Now() time.Time { return d.s.clock.Now() }

// ReadError implements registry.Database.
func (d database) ReadError(doing string, err error) error { return d.s.readError(doing, err) }

// registryTx is the writer's transaction as the registry sees it.
type registryTx struct{ t *tx }

// Only implements registry.Tx.
func (registryTx) Only(int64) {}

// Now implements registry.Tx.
func (r registryTx) Now() time.Time { return r.t.now }

// Query implements registry.Tx.
func (r registryTx) Query(each func(registry.Row) error, query string, args ...any) error {
	return numbered(r.t.query)(each, query, args...)
}

// Lock implements registry.Tx: nobody else writes.
func (r registryTx) Lock(each func(registry.Row) error, query string, args ...any) error {
	return r.Query(each, query, args...)
}

// Returning implements registry.Tx.
func (r registryTx) Returning(each func(registry.Row) error, query string, args ...any) error {
	return numbered(r.t.returning)(each, query, args...)
}

// Exec implements registry.Tx.
func (r registryTx) Exec(query string, args ...any) (int64, error) {
	return r.t.exec(withNumbers(query), args...)
}

// All implements registry.Tx.
func (r registryTx) All(statements ...registry.Statement) error {
	for _, s := range statements {
		if _, err := r.Exec(s.Text, s.Args...); err != nil {
			return err
		}
	}
	return nil
}

// Raise implements registry.Tx.
func (r registryTx) Raise(key int64) error { return r.t.raise(key) }

// withNumbers writes numbered arguments as SQLite counts them: to it, $2 is the
// name of whichever argument comes first.
func withNumbers(query string) string { return strings.ReplaceAll(query, "$", "?") }

// numbered asks q with numbered arguments.
func numbered(q ask) registry.Ask {
	return func(each func(registry.Row) error, query string, args ...any) error {
		return q(each, withNumbers(query), args...)
	}
}
