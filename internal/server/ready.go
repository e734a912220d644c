package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign/countersign/internal/api/health"
	"github.com/countersign/countersign/internal/store/schema"
)

// ready asks a store whether it serves, for health, which knows no store.
type ready struct{ store Store }

// Ping is the store's.
func (r ready) Ping(ctx context.Context) error {
	err := r.store.Ping(ctx)
	if errors.Is(err, schema.ErrNewer) || errors.Is(err, schema.ErrOlder) {
		return fmt.Errorf("%w: %w", health.ErrSchema, err)
	}
	return err //nolint:wrapcheck // says what it was doing
}
