package postgres_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// grouped is a connection with the settings of group commits.
func grouped(t *testing.T, url string) *pgx.Conn {
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
	return conn
}

// explain is the plan of a hot statement that is made while all tables are
// empty and then kept.
func explain(t *testing.T, url, statement string) string {
	t.Helper()
	plan, err := keptPlan(t.Context(), grouped(t, url), statement)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// session is a connection or a transaction on it.
type session interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
}

// keptPlan is the plan that the session makes of a statement and keeps.
func keptPlan(ctx context.Context, s session, statement string) (string, error) {
	if _, err := s.Exec(ctx, "PREPARE kept AS "+statement); err != nil {
		return "", err
	}
	parameters := 0
	for strings.Contains(statement, "$"+strconv.Itoa(parameters+1)) {
		parameters++
	}
	args := strings.TrimSuffix(strings.Repeat("NULL, ", parameters), ", ")
	rows, err := s.Query(ctx, "EXPLAIN EXECUTE kept ("+args+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return "", err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(lines, "\n"), err
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
