package sqlite

import (
	"context"
	"database/sql"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// Bounds of the writer that tests fill.
const (
	MaxGroup   = maxGroup
	MaxWaiting = maxWaiting
)

// SweepBatch bounds the rows of a sweep's transaction.
const SweepBatch = upkeep.SweepBatch

// Migrations are the embedded files, for tests that build older schemas.
var Migrations = migrations

// HighWaterMeta names the row of the clock's high-water mark.
const HighWaterMeta = highWaterMeta

// Tx is the writer's transaction.
type Tx = tx

// Exec is exec.
func (t *tx) Exec(query string, args ...any) (int64, error) { return t.exec(query, args...) }

// Query is query of one number a row.
func (t *tx) Query(each func(int64) error, query string, args ...any) error {
	return t.query(func(r rower) error {
		n, err := registry.ScanInt(r)
		if err != nil {
			return err
		}
		return each(n)
	}, query, args...)
}

// Write is write.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error { return s.write(ctx, f) }

// WriteUrgent is writeUrgent.
func (s *Store) WriteUrgent(ctx context.Context, f func(*Tx) error) error {
	return s.writeUrgent(ctx, f)
}

// Waiting is how much work waits in both queues.
func (s *Store) Waiting() int { return len(s.writer.urgent) + len(s.writer.normal) }

// Reader is the pool of readers.
func (s *Store) Reader() *sql.DB { return s.read }

// WriterPragma reads a PRAGMA on the writer's own connection.
func (s *Store) WriterPragma(ctx context.Context, name string) (value string, err error) {
	err = s.write(ctx, func(t *tx) error { return t.row("PRAGMA " + name).Scan(&value) })
	return value, err
}
