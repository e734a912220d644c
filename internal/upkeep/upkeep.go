// Package upkeep is what a server does to its database from time to time: it
// ends what is over, removes what was kept long enough, and measures what
// waits.
package upkeep

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Queues is what waits in a database.
type Queues struct {
	Deliveries    int           // queued, to be handed to a carrier
	DeliveryAge   time.Duration // how long the oldest of those that are due has been so
	Callbacks     int           // to be posted, first attempts and retries
	CallbackAge   time.Duration // how long the oldest of those that are due has been so
	DeadCallbacks int           // dead letters kept
}

// Retention says how long what is no longer needed is kept (P-04).
type Retention struct {
	OTPs      time.Duration // OTPs with deliveries and events, after their expiry
	Callbacks time.Duration // dead letters, after they died
	Tallies   time.Duration // what limits remember, after the last change, unless wrong codes still stop the recipient
}

// What is kept at most, whatever the operator's retention (P-04).
const (
	callbacksKept = 7 * 24 * time.Hour
	talliesKept   = 48 * time.Hour
)

const (
	// FiguresKept is how long figures are kept: a year can be compared with the
	// one before.
	FiguresKept = 400 * 24 * time.Hour
	// SweepBatch bounds how many rows one transaction of a sweep touches, so that
	// nobody waits long for it.
	SweepBatch = 500
	// HighWaterEvery is how often the clock's high-water mark is stored while a
	// step back of the wall clock could revive an OTP: no life grows by more
	// (V-10).
	HighWaterEvery = 500 * time.Millisecond
)

// Keep is what follows from how long the operator keeps OTPs.
func Keep(otps time.Duration) Retention {
	return Retention{OTPs: otps, Callbacks: min(callbacksKept, otps), Tallies: talliesKept}
}

// Store is what Sweep needs of a database. Several nodes may sweep one.
type Store interface {
	// ExpireOTPs ends OTPs whose time is over and wipes what could still be sent
	// of them (C-05). It returns how many it ended.
	ExpireOTPs(ctx context.Context) (int, error)
	// Purge removes what has been kept long enough and returns how many OTPs it
	// removed.
	Purge(ctx context.Context, keep Retention) (int, error)
}

// How often the sweepers run.
const (
	expireEvery = 5 * time.Second // C-05 allows 60 s
	purgeLeast  = 10 * time.Second
	purgeMost   = 10 * time.Minute // a purge reads as far as there is nothing to remove
)

// Sweep ends OTPs whose time is over and removes what was kept long enough,
// until ctx ends. Neither waits for the other: where much is to be removed, that
// takes minutes.
func Sweep(ctx context.Context, s Store, keep Retention, log *slog.Logger) {
	var both sync.WaitGroup
	both.Go(func() {
		every(ctx, expireEvery, log, func() error {
			_, err := s.ExpireOTPs(ctx)
			return err //nolint:wrapcheck // it is logged
		})
	})
	both.Go(func() {
		purge := func() error {
			n, err := s.Purge(ctx, keep)
			if n > 0 {
				log.DebugContext(ctx, "old OTPs removed", slog.Int("otps", n))
			}
			return err //nolint:wrapcheck // as above
		}
		warn(ctx, log, purge()) // what went past its time while nothing ran
		every(ctx, min(max(keep.OTPs/20, purgeLeast), purgeMost), log, purge)
	})
	both.Wait()
}

// every calls sweep each period until ctx ends.
func every(ctx context.Context, period time.Duration, log *slog.Logger, sweep func() error) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			warn(ctx, log, sweep())
		}
	}
}

// warn tells of a sweep that failed, unless it was broken off.
func warn(ctx context.Context, log *slog.Logger, err error) {
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "sweep", slog.Any("err", err))
	}
}
