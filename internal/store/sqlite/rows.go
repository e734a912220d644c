package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/countersign/countersign/internal/verify"
)

// rower is what Scan is called on: one row, or the error of asking for it.
type rower interface{ Scan(dest ...any) error }

// rows are what a query found, as *sql.Rows tells it.
type rows interface {
	rower
	Next() bool
	Err() error
	Close() error
}

// ask runs a query: on the pool, in a snapshot, or in the writer's
// transaction (tx.query). It lets one piece of code read in all three.
type ask func(query string, args ...any) (rows, error)

// pooled asks the pool of readers.
func (s *Store) pooled(ctx context.Context) ask {
	return func(query string, args ...any) (rows, error) {
		return s.read.QueryContext(ctx, query, args...) //nolint:rowserrcheck // who reads them asks
	}
}

// snapshot lets f read with several queries what was true at one moment.
func (s *Store) snapshot(ctx context.Context, f func(ask) error) error {
	t, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	defer t.Rollback() //nolint:errcheck // nothing was written
	return f(func(query string, args ...any) (rows, error) {
		return t.QueryContext(ctx, query, args...) //nolint:rowserrcheck // as above
	})
}

// collect returns all rows of a query, nil if there are none.
func collect[T any](q ask, scan func(rower) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	return all, nil
}

// first returns the only row of a query, false if there is none.
func first[T any](q ask, scan func(rower) (T, error), query string, args ...any) (one T, ok bool, err error) {
	all, err := collect(q, scan, query, args...)
	if err != nil || len(all) == 0 {
		return one, false, err
	}
	return all[0], true, nil
}

// exists reports whether a query has a row.
func exists(q ask, query string, args ...any) (bool, error) {
	_, ok, err := first(q, func(rower) (struct{}, error) { return struct{}{}, nil }, query, args...)
	return ok, err
}

// errUnchanged, returned by what change does, says that all is as wanted
// already: nothing is raised and the caller gets no error.
var errUnchanged = errors.New("unchanged")

// change does f in one transaction that also raises the version under key.
func (s *Store) change(ctx context.Context, key int64, f func(*tx) error) error {
	err := s.write(ctx, func(t *tx) error {
		if err := f(t); err != nil {
			return err
		}
		return t.raise(key)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil || errors.Is(err, verify.ErrOutcomeUnknown) {
		s.changed(key)
	}
	return err
}
