package server

import (
	"context"
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
	closed := make(chan error, 1)
	go func() { closed <- shut() }()
	select {
	case err := <-closed:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		log.WarnContext(ctx, leftBehind)
		return nil
	}
}
