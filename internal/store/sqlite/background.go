package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Checkpoints are made beside the writer, so that no caller waits for them.
const (
	checkpointEvery = 500 * time.Millisecond
	// checkpointFrom is how large the WAL is let grow before pages are moved
	// home: small enough to keep reads quick, large enough to move each hot
	// page once.
	checkpointFrom = 8 << 20
	// checkpointForce is when writing stops for a moment so that the WAL can
	// start over: readers and writers together kept it from doing so.
	checkpointForce = 256 << 20
)

// checkpoints moves what the WAL holds into the database file.
func (s *Store) checkpoints(ctx context.Context) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	db, err := sql.Open("sqlite", dsn(s.path, readerCache, "wal_autocheckpoint(0)"))
	if err != nil {
		s.log.ErrorContext(ctx, "cannot open a connection for checkpoints", slog.Any("err", err))
		return
	}
	db.SetMaxOpenConns(1)
	defer db.Close()
	var before int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		size := s.walSize()
		// A quiet WAL is emptied too, so that an idle node has nothing to
		// recover; a growing one only once it is worth the work.
		if size == 0 || (size < checkpointFrom && size != before) {
			before = size
			continue
		}
		if size >= checkpointForce {
			err = s.write(ctx, func(*tx) error { return nil }) // let the queue's head through first
			if err == nil {
				err = checkpoint(ctx, db, "RESTART")
			}
		} else {
			err = checkpoint(ctx, db, "PASSIVE")
		}
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "checkpoint", slog.Any("err", err))
		}
		before = size
	}
}

func (s *Store) walSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

func checkpoint(ctx context.Context, db *sql.DB, mode string) error {
	var busy, frames, moved int
	if err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// The clock's high-water mark is stored while a step back of the wall clock
// could revive an OTP: at most this often, so no life grows by more (V-10).
const highWaterEvery = 500 * time.Millisecond

const highWaterMeta = "clock_high_water"

func (s *Store) storedHighWater(ctx context.Context) (time.Time, error) {
	var us int64
	err := s.writeDB.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", highWaterMeta).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock's high-water mark: %w", err)
	}
	s.highWater.stored.Store(us)
	var open sql.NullInt64
	if err := s.writeDB.QueryRowContext(ctx, "SELECT max(expires_at) FROM otps WHERE state = 1").Scan(&open); err != nil {
		return time.Time{}, fmt.Errorf("read open OTPs: %w", err)
	}
	s.highWater.needed.Store(open.Int64)
	return fromMicros(us), nil
}

// expects notes that an OTP is open until expires.
func (s *Store) expects(expires time.Time) {
	us := expires.UnixMicro()
	for {
		was := s.highWater.needed.Load()
		if us <= was || s.highWater.needed.CompareAndSwap(was, us) {
			return
		}
	}
}

func (s *Store) keepHighWater(ctx context.Context) {
	ticker := time.NewTicker(highWaterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// The mark has done its work once it is past the last open expiry.
		if s.highWater.stored.Load() > s.highWater.needed.Load() {
			continue
		}
		var mark int64
		err := s.write(ctx, func(t *tx) error {
			mark = t.now.UnixMicro()
			_, err := t.exec(`INSERT INTO meta (name, value) VALUES (?, ?)
				ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`, highWaterMeta, mark)
			return err
		})
		if err == nil {
			s.highWater.stored.Store(mark)
		} else if ctx.Err() == nil {
			s.log.WarnContext(ctx, "store the clock's high-water mark", slog.Any("err", err))
		}
	}
}
