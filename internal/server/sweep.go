package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/store/sqlite"
)

// How often the sweepers run.
const (
	expireEvery = 5 * time.Second // C-05 allows 60 s
	purgeLeast  = 10 * time.Second
	purgeMost   = 10 * time.Minute // a purge reads as far as there is nothing to remove
)

// What is kept at most, whatever the retention (P-04).
const (
	callbacksKept = 7 * 24 * time.Hour
	talliesKept   = 48 * time.Hour
)

// sweep ends OTPs whose time is over and removes what was kept long enough,
// until ctx ends.
func (d *Deployment) sweep(ctx context.Context) {
	keep := sqlite.Retention{
		OTPs: d.Config.Retention, Callbacks: min(callbacksKept, d.Config.Retention), Tallies: talliesKept,
	}
	expire := time.NewTicker(expireEvery)
	defer expire.Stop()
	purge := time.NewTicker(min(max(d.Config.Retention/20, purgeLeast), purgeMost))
	defer purge.Stop()
	if _, err := d.Store.Purge(ctx, keep); err != nil && ctx.Err() == nil { // what went past its time while nothing ran
		d.Log.WarnContext(ctx, "sweep", slog.Any("err", err))
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-expire.C:
			_, err = d.Store.ExpireOTPs(ctx)
		case <-purge.C:
			var n int
			if n, err = d.Store.Purge(ctx, keep); n > 0 {
				d.Log.DebugContext(ctx, "old OTPs removed", slog.Int("otps", n))
			}
		}
		if err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "sweep", slog.Any("err", err))
		}
	}
}
