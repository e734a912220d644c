package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// rower is what Scan is called on: one row, or the error of asking for it.
type rower = registry.Row

// ask runs a query and hands each row over: on the pool, in a snapshot, or in
// the writer's transaction (tx.query). It lets one piece of code read in all three.
type ask = registry.Ask

// pooled asks the pool of readers.
func (s *Store) pooled(ctx context.Context) ask { return over(ctx, s.read) }

// snapshot lets f read with several queries what was true at one moment.
func (s *Store) snapshot(ctx context.Context, f func(ask) error) error {
	t, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	defer t.Rollback() //nolint:errcheck // nothing was written
	return f(over(ctx, t))
}

// over asks what package database/sql runs queries on.
func over(ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) ask {
	return func(each func(rower) error, query string, args ...any) error {
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// change does f in one transaction that also raises the version under key.
func (s *Store) change(ctx context.Context, key int64, f func(*tx) error) error {
	err := s.write(ctx, func(t *tx) error {
		if err := f(t); err != nil {
			return err
		}
		return t.raise(key)
	})
	if errors.Is(err, registry.ErrUnchanged) {
		return nil
	}
	if err == nil || errors.Is(err, verify.ErrOutcomeUnknown) {
		s.changed(key)
	}
	return err
}
