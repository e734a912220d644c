package sqlite

import (
	"context"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/store/registry"
)

// PlanOfDueConfigs is how SQLite finds configurations with due callbacks.
func (s *Store) PlanOfDueConfigs(t testing.TB) string { return s.plan(t, selectDueConfigs) }

// PlanOfClaimable is how SQLite finds one configuration's due callbacks.
func (s *Store) PlanOfClaimable(t testing.TB) string { return s.plan(t, selectClaimable) }

// PlanOfConfigs is how SQLite finds the configurations that want an event.
func (s *Store) PlanOfConfigs(t testing.TB) string { return s.plan(t, selectConfigs) }

// PlanOfConfigLetters is how SQLite finds a page of a configuration's letters.
func (s *Store) PlanOfConfigLetters(t testing.TB, l callback.Letters) string {
	t.Helper()
	x := &explained{Database: database{s}}
	if _, _, err := registry.New(x, "rowid").ConfigLetters(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	return x.plan
}

// explained is a database that asks of a query how it would be answered.
type explained struct {
	registry.Database

	plan string // of the query asked last
}

func (x *explained) Ask(ctx context.Context, account int64) registry.Ask {
	return func(each func(registry.Row) error, query string, args ...any) error {
		if err := x.explain(x.Database.Ask(ctx, account), query, args); err != nil {
			return err
		}
		return x.Database.Ask(ctx, account)(each, query, args...)
	}
}

func (x *explained) explain(ask registry.Ask, query string, args []any) error {
	x.plan = ""
	return ask(func(r registry.Row) error {
		var id, parent, unused int
		var detail string
		err := r.Scan(&id, &parent, &unused, &detail)
		x.plan += detail + "\n"
		return err
	}, "EXPLAIN QUERY PLAN "+query, args...)
}

// PlanOfKeyTaken is how SQLite looks for what a new key may have in common with
// others.
func (s *Store) PlanOfKeyTaken(t testing.TB, k account.Key) string {
	t.Helper()
	x := &explained{Database: database{s}}
	if err := registry.New(x, "rowid").CreateKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	return x.plan
}

// Change explains the query that the change asks last.
func (x *explained) Change(ctx context.Context, key int64, f func(registry.Tx) error) error {
	return x.Database.Change(ctx, key, func(t registry.Tx) error { return f(explainedTx{t, x}) })
}

type explainedTx struct {
	registry.Tx

	x *explained
}

func (t explainedTx) Query(each func(registry.Row) error, query string, args ...any) error {
	if err := t.x.explain(t.Tx.Query, query, args); err != nil {
		return err
	}
	return t.Tx.Query(each, query, args...)
}

func (s *Store) plan(t testing.TB, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(detail + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
