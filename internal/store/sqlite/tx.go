package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/report"
)

// tx is the writer's open transaction as one caller's work sees it.
type tx struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt // by text: each is prepared once
	now        time.Time            // read after BEGIN IMMEDIATE: nothing of the store can change any more (V-03)
	writes     int                  // statements this work has executed
	store      *Store
	totals     report.Totals // what the transaction's events count for
}

// run does one caller's work; a panic in it is that caller's error.
func (t *tx) run(do func(*tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.writes++ // what it wrote is unknown: undo
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	return do(t)
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if s, ok := t.statements[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", query, err)
	}
	t.statements[query] = s
	return s, nil
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	t.writes++
	r, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err //nolint:wrapcheck // the caller says what it was doing
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, err //nolint:wrapcheck // as above
	}
	return n, nil
}

// rower is what Scan is called on: one row, or the error of asking for it.
type rower interface{ Scan(dest ...any) error }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// row runs a query for at most one row; Scan returns sql.ErrNoRows for none.
func (t *tx) row(query string, args ...any) rower {
	s, err := t.prepared(query)
	if err != nil {
		return failedRow{err}
	}
	return s.QueryRowContext(context.Background(), args...)
}

// query runs a query for many rows. The caller closes them before the next
// statement that writes what they read.
func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.prepared(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.Background(), args...) //nolint:wrapcheck // the caller says what it was doing
}
