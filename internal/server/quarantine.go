package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/verify"
)

// errQuarantined refuses what a quarantine forbids, as a database that is not
// available does: with 503 and Retry-After at every facade.
var errQuarantined = fmt.Errorf("the database is quarantined: %w", verify.ErrUnavailable)

// guarded is a Store that does nothing to anybody outside while its database is
// quarantined (D-10): it is a copy, and nobody knows what the original has sent
// and which codes it has accepted since. Nothing is sent, no callback is
// posted, no code is compared. Everything else works, so that operators can
// look around.
type guarded struct{ Store }

// released returns nil if the database is not quarantined.
func (g guarded) released(ctx context.Context) error {
	since, err := g.Quarantined(ctx)
	switch {
	case err != nil && !errors.Is(err, verify.ErrUnavailable) && !errors.Is(err, verify.ErrOverloaded):
		return fmt.Errorf("read the quarantine: %w: %w", verify.ErrUnavailable, err)
	case err != nil:
		return err
	case !since.IsZero():
		return errQuarantined
	}
	return nil
}

// CreateOTP is refused in quarantine.
func (g guarded) CreateOTP(ctx context.Context, n verify.NewOTP) (verify.Record, error) {
	if err := g.released(ctx); err != nil {
		return verify.Record{}, err
	}
	return g.Store.CreateOTP(ctx, n) //nolint:wrapcheck // passed through, as below
}

// AddDelivery is refused in quarantine.
func (g guarded) AddDelivery(ctx context.Context, n verify.NewDelivery) (verify.Record, error) {
	if err := g.released(ctx); err != nil {
		return verify.Record{}, err
	}
	return g.Store.AddDelivery(ctx, n) //nolint:wrapcheck // as above
}

// CountAttempt is refused in quarantine.
func (g guarded) CountAttempt(ctx context.Context, a verify.Attempt) (verify.Checked, error) {
	if err := g.released(ctx); err != nil {
		return verify.Checked{}, err
	}
	return g.Store.CountAttempt(ctx, a) //nolint:wrapcheck // as above
}

// ClaimDeliveries claims nothing in quarantine.
func (g guarded) ClaimDeliveries(ctx context.Context, node string, limit int, lease time.Duration) ([]delivery.Job, time.Time, error) {
	if err := g.released(ctx); err != nil {
		return nil, time.Time{}, unlessQuarantined(err)
	}
	return g.Store.ClaimDeliveries(ctx, node, limit, lease) //nolint:wrapcheck // as above
}

// MaySubmit lets nothing leave in quarantine that was claimed before.
func (g guarded) MaySubmit(ctx context.Context, key delivery.Key) (bool, error) {
	if err := g.released(ctx); err != nil {
		return false, unlessQuarantined(err)
	}
	return g.Store.MaySubmit(ctx, key) //nolint:wrapcheck // as above
}

// EndWaits ends none in quarantine: what comes after one is a send.
func (g guarded) EndWaits(ctx context.Context, limit int) (int, bool, error) {
	if err := g.released(ctx); err != nil {
		return 0, false, unlessQuarantined(err)
	}
	return g.Store.EndWaits(ctx, limit) //nolint:wrapcheck // as above
}

// ClaimCallbacks claims nothing in quarantine.
func (g guarded) ClaimCallbacks(ctx context.Context, c callback.Claim) ([]callback.Post, time.Time, error) {
	if err := g.released(ctx); err != nil {
		return nil, time.Time{}, unlessQuarantined(err)
	}
	return g.Store.ClaimCallbacks(ctx, c) //nolint:wrapcheck // as above
}

// unlessQuarantined is err, but nil for the quarantine: to whoever looks for
// work it is no failure.
func unlessQuarantined(err error) error {
	if errors.Is(err, errQuarantined) {
		return nil
	}
	return err
}
