package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	engine "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/upkeep"
)

// Checkpoints are made beside the writer, so that no caller waits for the bulk
// of them.
const (
	checkpointEvery = 250 * time.Millisecond
	// checkpointFrom is how many pages the WAL gathers before they are moved
	// home and it starts over: so many that pages written again and again are
	// moved once, and that fewer than one call in a hundred comes while it is
	// done; so few that the WAL stays within journalLimit.
	checkpointFrom = 32000
	// checkpointAgain is how many pages come before that is tried again where a
	// reader kept the WAL from starting over.
	checkpointAgain = 8000
	// checkpointRest is how many pages may be left to be moved while the writer
	// waits: a commit or two of its time. checkpointPasses is after how many
	// attempts to get there it waits for more.
	checkpointRest   = 100
	checkpointPasses = 4
	// checkpointIdle is after how many rounds with next to no writes whatever is
	// left is moved and the WAL emptied, so that an idle node has nothing to
	// recover. checkpointCalm is how many pages a round may write for that: the
	// clock's high-water mark goes on.
	checkpointIdle = 8
	checkpointCalm = 16
)

// checkpoints moves what the WAL holds into the database file.
func (s *Store) checkpoints(ctx context.Context) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	before, quiet := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		pages, moved, err := s.checkpoint(ctx, "NOOP")
		if pages-before <= checkpointCalm {
			quiet++
		} else {
			quiet = 0
		}
		before = pages
		switch {
		case err != nil:
		case quiet == checkpointIdle && pages > 0:
			err = s.startOver(ctx, "TRUNCATE")
		case pages >= checkpointFrom && pages-moved >= checkpointAgain:
			err = s.startOver(ctx, "PASSIVE")
		}
		s.endUnsynced(err)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "checkpoint", slog.Any("err", err))
		}
	}
}

// startOver moves everything home: the bulk of it beside the writer, and the rest
// in its turn, so that the WAL starts over at its beginning instead of growing
// without end.
func (s *Store) startOver(ctx context.Context, mode string) error {
	for range checkpointPasses {
		_, moved, err := s.checkpoint(ctx, "PASSIVE")
		if err != nil {
			return err
		}
		pages, _, err := s.checkpoint(ctx, "NOOP")
		if err != nil {
			return err
		}
		if pages-moved <= checkpointRest {
			break
		}
	}
	return s.writer.between(ctx, func(c *engine.Conn) error {
		if err := sqlitex.ExecuteTransient(c, "PRAGMA wal_checkpoint("+mode+")", nil); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		return nil
	})
}

// checkpoint runs a checkpoint and returns how many pages the WAL holds and
// how many of them are home.
func (s *Store) checkpoint(ctx context.Context, mode string) (pages, moved int, err error) {
	var busy int
	if err := s.upkeep.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &moved); err != nil {
		return 0, 0, fmt.Errorf("checkpoint: %w", err)
	}
	return pages, moved, nil
}

const highWaterMeta = "clock_high_water"

func (s *Store) storedHighWater(ctx context.Context) (time.Time, error) {
	var us int64
	err := s.upkeep.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", highWaterMeta).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock's high-water mark: %w", err)
	}
	s.highWater.stored.Store(us)
	var open sql.NullInt64
	if err := s.upkeep.QueryRowContext(ctx, "SELECT max(expires_at) FROM otps WHERE state = 1").Scan(&open); err != nil {
		return time.Time{}, fmt.Errorf("read open OTPs: %w", err)
	}
	s.highWater.needed.Store(open.Int64)
	return column.FromMicros(us), nil
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
	ticker := time.NewTicker(upkeep.HighWaterEvery)
	defer ticker.Stop()
	for failing := false; ; {
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
		} else if ctx.Err() == nil && !failing { // a full disk stays so for a while
			s.log.WarnContext(ctx, "store the clock's high-water mark", slog.Any("err", err))
		}
		failing = err != nil
	}
}
