package sqlite

import (
	"database/sql"
	"fmt"
	"time"

	engine "zombiezen.com/go/sqlite"

	"github.com/countersign/countersign/internal/report"
)

// tx is the writer's open transaction as one caller's work sees it.
type tx struct {
	conn       *engine.Conn
	statements map[string]*engine.Stmt // by text: each is prepared once
	now        time.Time               // read after BEGIN IMMEDIATE: nothing of the store can change any more (V-03)
	writes     int                     // how often this work changed rows, or may have: nothing else need be undone
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

func (t *tx) prepared(query string) (*engine.Stmt, error) {
	if s, ok := t.statements[query]; ok {
		return s, nil
	}
	s, err := t.conn.Prepare(query)
	if err != nil {
		return nil, fmt.Errorf("prepare %.40q: %w", query, err)
	}
	t.statements[query] = s
	return s, nil
}

// bound is the prepared statement with its arguments.
func (t *tx) bound(query string, args []any) (*engine.Stmt, error) {
	s, err := t.prepared(query)
	if err != nil {
		return nil, err
	}
	if want := s.BindParamCount(); want != len(args) {
		return nil, fmt.Errorf("%.40q wants %d arguments, not %d", query, want, len(args))
	}
	for i, arg := range args {
		if err := bind(s, i+1, arg); err != nil {
			return nil, fmt.Errorf("%.40q: %w", query, err)
		}
	}
	return s, nil
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.bound(query, args)
	if err != nil {
		return 0, err
	}
	if _, err := s.Step(); err != nil {
		// It may have done half of it.
		t.writes++
		return 0, err //nolint:wrapcheck // the caller says what it was doing
	}
	n := t.conn.Changes() // by triggers more, but beside one of these
	if n > 0 {
		t.writes++
	}
	if err := s.Reset(); err != nil {
		t.writes++
		return 0, err //nolint:wrapcheck // as above
	}
	return int64(n), nil
}

// returning is query for a statement that writes and returns a row for each
// that it changes.
func (t *tx) returning(each func(rower) error, query string, args ...any) error {
	err := t.query(func(r rower) error {
		t.writes++
		return each(r)
	}, query, args...)
	if err != nil {
		t.writes++ // as in exec
	}
	return err
}

// row runs a query for at most one row; Scan returns sql.ErrNoRows for none.
func (t *tx) row(query string, args ...any) rower {
	s, err := t.bound(query, args)
	return single{s, err}
}

// query is an ask of the transaction. What it hands rows to does not ask the
// same again, and writes nothing that the query reads.
func (t *tx) query(each func(rower) error, query string, args ...any) (err error) {
	s, err := t.bound(query, args)
	if err != nil {
		return err
	}
	defer func() { // also of one whose user panics: the next finds it as it was
		if failed := s.Reset(); err == nil {
			err = failed
		}
	}()
	row := current{s}
	for {
		found, err := s.Step()
		if err == nil && found {
			err = each(row)
		}
		if err != nil || !found {
			return err
		}
	}
}

// current is the row that a query is at.
type current struct{ s *engine.Stmt }

func (r current) Scan(dest ...any) error { return scanRow(r.s, dest) }

// single is a query that has its arguments, or why it has not.
type single struct {
	s   *engine.Stmt
	err error
}

func (r single) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	found, err := r.s.Step()
	switch {
	case err != nil:
		return err //nolint:wrapcheck // the caller says what it was doing
	case !found:
		err = sql.ErrNoRows
	default:
		err = scanRow(r.s, dest)
	}
	if failed := r.s.Reset(); err == nil && failed != nil {
		err = failed
	}
	return err
}
