package postgres_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// explain is the plan of a hot statement that is made while all tables are
// empty and then kept.
func explain(t *testing.T, url, statement string) string {
	t.Helper()
	settings, err := postgres.GroupSettings(url)
	if err != nil {
		t.Fatal(err)
	}
	conn := raw(t, url)
	for name, value := range settings {
		if name == "search_path" {
			continue
		}
		if _, err := conn.Exec(t.Context(), "SELECT set_config($1, $2, false)", name, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), "PREPARE hot AS "+statement); err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := 1; strings.Contains(statement, "$"+strconv.Itoa(n)); n++ {
		last = n
	}
	args := strings.TrimSuffix(strings.Repeat("NULL, ", last), ", ")
	rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE hot ("+args+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// A plan that is made while the tables are empty stays for as long as the
// connection: one that reads a whole account would be found out in production.
func TestGroupCommitsFindRowsByTheirKeys(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	open(t, url, nil)
	for name, statement := range postgres.Hot() {
		plan := explain(t, url, statement)
		for line := range strings.Lines(plan) {
			if !strings.Contains(line, "Scan") || !strings.Contains(line, " on ") {
				continue
			}
			if strings.Contains(line, "CTE Scan") || strings.Contains(line, "Function Scan") || strings.Contains(line, "Subquery Scan") {
				continue
			}
			key := false
			for _, index := range []string{"otps_id_key", "otps_pkey", "tallies_pkey", "deliveries_pkey", "events_pkey"} {
				key = key || strings.Contains(line, "Index") && strings.Contains(line, " using "+index+" ")
			}
			if !key {
				t.Errorf("%s reads rows by%s, want a table's key; the plan is\n%s", name, line, plan)
			}
		}
	}
}
