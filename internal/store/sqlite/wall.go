package sqlite

import (
	"context"
	"log/slog"
	"time"
)

// How often the wall clock is looked at, and how far behind the store's time it
// may be without a word.
const (
	wallEvery  = time.Second
	wallBehind = time.Second
)

// watchWall tells of a wall clock that is set back while the store is open; told
// is whether it was when the store was opened.
func (s *Store) watchWall(ctx context.Context, told bool) {
	ticker := time.NewTicker(wallEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			told = s.tellAhead(ctx, told)
		}
	}
}

// tellAhead warns, unless that was told, of a wall clock that is behind the
// store's time, and reports whether it is.
func (s *Store) tellAhead(ctx context.Context, told bool) bool {
	ahead := s.clock.Ahead()
	if ahead > wallBehind && !told {
		s.log.WarnContext(ctx, "the wall clock is behind the time the database has seen; going on from there", slog.String("behind", ahead.String()))
	}
	return ahead > wallBehind
}
