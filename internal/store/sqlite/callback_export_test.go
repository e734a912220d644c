package sqlite

import (
	"strings"
	"testing"
)

// PlanOfDueConfigs is how SQLite finds configurations with due callbacks.
func (s *Store) PlanOfDueConfigs(t testing.TB) string { return s.plan(t, selectDueConfigs) }

// PlanOfClaimable is how SQLite finds one configuration's due callbacks.
func (s *Store) PlanOfClaimable(t testing.TB) string { return s.plan(t, selectClaimable) }

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
