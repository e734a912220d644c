package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

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

// Tx is the writer's transaction.
type Tx = tx

// Exec is exec.
func (t *tx) Exec(query string, args ...any) (int64, error) { return t.exec(query, args...) }

// Query is query of one number a row.
func (t *tx) Query(each func(int64) error, query string, args ...any) error {
	return t.query(numbers(each), query, args...)
}

// Returning is returning of one number a row.
func (t *tx) Returning(each func(int64) error, query string, args ...any) error {
	return t.returning(numbers(each), query, args...)
}

func numbers(each func(int64) error) func(rower) error {
	return func(r rower) error {
		n, err := registry.ScanInt(r)
		if err != nil {
			return err
		}
		return each(n)
	}
}

// Write is write.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error { return s.write(ctx, f) }

// WriteUrgent is writeUrgent.
func (s *Store) WriteUrgent(ctx context.Context, f func(*Tx) error) error {
	return s.writeUrgent(ctx, f)
}

// Waiting is how much work waits in both queues.
func (s *Store) Waiting() int { return len(s.writer.urgent) + len(s.writer.normal) }

// WaitingUrgent is how much of it goes before other work.
func (s *Store) WaitingUrgent() int { return len(s.writer.urgent) }

// Rest ends what the store does by itself from time to time: what waits for the
// writer from then on, and what is committed, is a test's own.
func (s *Store) Rest() {
	s.stop()
	s.background.Close()
}

// Reader is the pool of readers.
func (s *Store) Reader() *sql.DB { return s.read }

// WriterPragma reads a PRAGMA on the writer's own connection.
func (s *Store) WriterPragma(ctx context.Context, name string) (value string, err error) {
	err = s.write(ctx, func(t *tx) error { return t.row("PRAGMA " + name).Scan(&value) })
	return value, err
}

// EraseOTPs is the part of EraseRecipient that removes an account's OTPs, with
// another pause between batches.
func (s *Store) EraseOTPs(ctx context.Context, account string, recipientKey [16]byte, pause func(context.Context, time.Duration) error) (int, error) {
	id, err := s.AccountID(ctx, account)
	if err != nil {
		return 0, err
	}
	return eraser{s, pause}.otps(ctx, id, recipientKey[:])
}

// EraseWith is EraseRecipient with another pause between batches.
func (s *Store) EraseWith(ctx context.Context, keys map[string][16]byte, pause func(context.Context, time.Duration) error) (int, error) {
	return eraser{s, pause}.recipient(ctx, keys)
}

// Crossed is crossed.
var Crossed = crossed

// Rounds are what the store does about checkpoints from time to time.
type Rounds struct{ rounds }

// Next is next.
func (r *Rounds) Next(ctx context.Context, s *Store) { r.next(ctx, s) }

// Tell is tell.
func (r *Rounds) Tell(ctx context.Context, log *slog.Logger, looked bool, err error) {
	r.tell(ctx, log, looked, err)
}

// CloseUpkeep lets every checkpoint fail.
func (s *Store) CloseUpkeep() error { return s.upkeep.Close() }

// Walkers is how many lists read at once.
const Walkers = walkers

// HoldWalks takes all places of lists until release is called.
func (s *Store) HoldWalks() (release func()) {
	for range walkers {
		s.walks <- struct{}{}
	}
	return func() {
		for range walkers {
			<-s.walks
		}
	}
}
