package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/highwater"
)

const (
	selectMark = `SELECT value FROM meta WHERE name = ?`
	raiseMark  = `INSERT INTO meta (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)`
	openUntil = `SELECT coalesce(max(expires_at), 0) FROM otps WHERE state = 1` // uses otps_open_idx
)

func (s *Store) storedHighWater(ctx context.Context) (time.Time, error) {
	var us int64
	err := s.upkeep.QueryRowContext(ctx, selectMark, highwater.Meta).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock's high-water mark: %w", err)
	}
	s.highWater.Stored(us)
	var open int64
	if err := s.upkeep.QueryRowContext(ctx, openUntil).Scan(&open); err != nil {
		return time.Time{}, fmt.Errorf("read open OTPs: %w", err)
	}
	s.highWater.Open(open)
	return column.FromMicros(us), nil
}

// keepHighWater stores the mark until ctx ends.
func (s *Store) keepHighWater(ctx context.Context) {
	s.highWater.Keep(ctx, s.keepMark, func(err error) {
		s.log.WarnContext(ctx, "store the clock's high-water mark", slog.Any("err", err))
	})
}

func (s *Store) keepMark(ctx context.Context) error {
	if !s.highWater.Known() { // unless another process has made one
		var open int64
		if err := s.read.QueryRowContext(ctx, openUntil).Scan(&open); err != nil {
			return s.readError("read open OTPs", err)
		}
		s.highWater.Open(open)
	}
	if !s.highWater.Due(s.clock.Now(), s.clock.Ahead()) {
		return nil
	}
	return s.raiseMark(ctx)
}

func (s *Store) raiseMark(ctx context.Context) error {
	var mark int64
	err := s.write(ctx, func(t *tx) error {
		mark = t.now.UnixMicro()
		_, err := t.exec(raiseMark, highwater.Meta, mark)
		return err
	})
	if err == nil {
		s.highWater.Stored(mark)
	}
	return err
}
