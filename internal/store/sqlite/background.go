package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	engine "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Checkpoints are made beside the writer, so that no caller waits for the bulk
// of them.
const (
	checkpointEvery = 250 * time.Millisecond
	// checkpointFrom is how many pages the WAL gathers before they are moved
	// home and it starts over: so many that pages written again and again are
	// moved once, and that fewer than one call in a hundred comes while it is
	// done; so few (126 MiB) that without long reads the WAL stays within
	// journalLimit.
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
	var r rounds
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.next(ctx, s)
		}
	}
}

// rounds is what rounds of checkpoints know of those before.
type rounds struct {
	pages, quiet int
	failing      bool
}

// next does a round: it looks at the WAL and moves it home if it is time.
func (r *rounds) next(ctx context.Context, s *Store) {
	pages, moved, err := s.checkpoint(ctx, "NOOP")
	if pages-r.pages <= checkpointCalm {
		r.quiet++
	} else {
		r.quiet = 0
	}
	r.pages = pages
	looked := false
	switch {
	case err != nil:
	case r.quiet == checkpointIdle && pages > 0 && !s.beside:
		err = s.startOver(ctx, "TRUNCATE")
	case pages >= checkpointFrom && pages-moved >= checkpointAgain:
		err = s.startOver(ctx, "PASSIVE")
	default:
		looked = true
	}
	s.endUnsynced(err)
	r.tell(ctx, s.log, looked, err)
}

// tell warns of a round that failed, once until the WAL was moved home again: a
// full disk stays so for a while, and that one could look at it says nothing.
func (r *rounds) tell(ctx context.Context, log *slog.Logger, looked bool, err error) {
	switch {
	case err != nil && !r.failing && ctx.Err() == nil:
		log.WarnContext(ctx, "checkpoint", slog.Any("err", err))
		r.failing = true
	case err == nil && !looked:
		r.failing = false
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
		c.SetBusyTimeout(busyTimeout) // for readers
		defer c.SetBusyTimeout(0)
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
