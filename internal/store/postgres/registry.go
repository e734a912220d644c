package postgres

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/store/registry"
)

// database is what the registry needs of a Store.
type database struct{ s *Store }

// Ask implements registry.Database.
func (d database) Ask(ctx context.Context, account int64) registry.Ask {
	return d.s.scoped(ctx, account)
}

// Snapshot implements registry.Database.
func (d database) Snapshot(ctx context.Context, account int64, f func(registry.Ask) error) error {
	return d.s.snapshot(ctx, account, f)
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
func (d database) Now() time.Time { return d.s.Now() }

// ReadError implements registry.Database.
func (d database) ReadError(doing string, err error) error { return readError(doing, err) }

// registryTx is a transaction as the registry sees it.
type registryTx struct{ t *tx }

// Only implements registry.Tx.
func (r registryTx) Only(account int64) { r.t.only(account) }

// Now implements registry.Tx.
func (r registryTx) Now() time.Time { return r.t.now }

// Query implements registry.Tx.
func (r registryTx) Query(each func(registry.Row) error, query string, args ...any) error {
	return r.t.query(each, query, args...)
}

// Lock implements registry.Tx.
func (r registryTx) Lock(each func(registry.Row) error, query string, args ...any) error {
	if err := r.t.query(each, query+" FOR UPDATE", args...); err != nil {
		return err
	}
	return r.t.readClock()
}

// Returning implements registry.Tx.
func (r registryTx) Returning(each func(registry.Row) error, query string, args ...any) error {
	return r.t.query(each, query, args...)
}

// Exec implements registry.Tx.
func (r registryTx) Exec(query string, args ...any) (int64, error) { return r.t.exec(query, args...) }

// All implements registry.Tx: in one round trip.
func (r registryTx) All(statements ...registry.Statement) error {
	for _, s := range statements {
		r.t.put(s.Text, s.Args...)
	}
	return r.t.flush()
}

// Raise implements registry.Tx.
func (r registryTx) Raise(key int64) error {
	r.t.raise(key)
	return nil
}
