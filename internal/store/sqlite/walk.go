package sqlite

import (
	"context"
	"fmt"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/verify"
)

// walkers is how many lists and searches read at once. They may look at all that
// an account has; the readers that they leave are for what is read by its key, so
// that no account's lists keep another's sends waiting (D-14). More wait, for as
// long as their callers do.
const walkers = readers / 2

// walk runs f, which looks at many rows, in one of the places for that.
func (s *Store) walk(ctx context.Context, f func() error) error {
	select {
	case s.walks <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wait for other lists: %w: %w", verify.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { <-s.walks }()
	return f()
}

// walking is pooled for a query that looks at many rows.
func (s *Store) walking(ctx context.Context) ask {
	return func(each func(rower) error, query string, args ...any) error {
		return s.walk(ctx, func() error { return s.pooled(ctx)(each, query, args...) })
	}
}

// What the registry reads of callbacks looks at as many as wait.
var _ interface {
	callback.CommandStore
	callback.DeskStore
} = (*Store)(nil)

// Letters implements callback.CommandStore.
func (s *Store) Letters(ctx context.Context, account string, onlyDead bool, limit int) (all []callback.Letter, err error) {
	err = s.walk(ctx, func() error {
		all, err = s.Registry.Letters(ctx, account, onlyDead, limit)
		return err
	})
	return all, err
}

// ConfigLetters implements callback.DeskStore.
func (s *Store) ConfigLetters(ctx context.Context, l callback.Letters) (page []callback.Letter, next int64, err error) {
	err = s.walk(ctx, func() error {
		page, next, err = s.Registry.ConfigLetters(ctx, l)
		return err
	})
	return page, next, err
}

// CountLetters implements callback.DeskStore.
func (s *Store) CountLetters(ctx context.Context, account string) (all map[string]callback.Waiting, err error) {
	err = s.walk(ctx, func() error {
		all, err = s.Registry.CountLetters(ctx, account)
		return err
	})
	return all, err
}
