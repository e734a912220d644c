package server

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// closeBound is how long what was stopped waits for the database to close:
// longer than a commit takes, and shorter than people wait.
const closeBound = 5 * time.Second

// leftBehind is said where the wait for the database ended before the work did.
const leftBehind = "the database takes too long; what is under way is left to it"

// CloseWithin is Close, but returns nil once ctx has ended and the database has
// had a few seconds more: the process is to end then. What is under way goes on
// in PostgreSQL or is undone, and whoever asked for it was told that its outcome
// is unknown (V-07).
func (d *Deployment) CloseWithin(ctx context.Context) error {
	return closeWithin(ctx, d.Close, closeBound, d.Log)
}

// closeWithin calls shut and waits until it returns or, once ctx has ended, for
// bound more.
func closeWithin(ctx context.Context, shut func() error, bound time.Duration, log *slog.Logger) error {
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- shut()
	}()
	return awaitEnds(ctx, ended, bound, log)
}

// awaitEnds returns what comes of ended until that is closed, joined. From the end
// of ctx on, or the first that comes, it waits for bound; what takes longer is left
// behind: it still uses the database and its lock, until the process ends. A commit
// that is under way goes on in PostgreSQL, whoever asked for it has been told that
// its outcome is unknown (V-07), and whoever ends a server has nothing to mend.
func awaitEnds(ctx context.Context, ended <-chan error, bound time.Duration, log *slog.Logger) (err error) {
	select {
	case err = <-ended:
	case <-ctx.Done():
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	for {
		select {
		case next, more := <-ended:
			if !more {
				return err
			}
			err = errors.Join(err, next)
		case <-timer.C:
			log.WarnContext(ctx, leftBehind)
			return err
		}
	}
}
