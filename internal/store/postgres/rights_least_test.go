package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

// least returns a database in which the role has no right but those that Open
// asks for: every promise is kept with them.
func least(t testing.TB) string {
	t.Helper()
	url := pgtest.Ready(t)
	statements := []string{"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM CURRENT_USER", "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM CURRENT_USER"}
	for _, r := range postgres.Rights() {
		one, _, _ := strings.Cut(r.Any, ",")
		statements = append(statements, "GRANT "+one+" ON "+r.Kind+" "+r.Name+" TO CURRENT_USER")
	}
	pgtest.Exec(t, url, strings.Join(statements, "; "))
	return url
}

func TestAnAuditEntryNeedsNoRightThatOpenDoesNotAskFor(t *testing.T) {
	t.Parallel()
	s := open(t, least(t), nil)
	err := s.AppendAudit(t.Context(), func(seq int64, _ []byte, at time.Time) (audit.Sealed, error) {
		return audit.Sealed{Seq: seq, At: at, Link: []byte{1}}, nil
	})
	if err != nil {
		t.Errorf("AppendAudit = %v", err)
	}
}

// writing finds what statements do and to which table. DO UPDATE is of the
// INSERT before it.
var writing = regexp.MustCompile(`\bINSERT INTO (\w+)|\bDO (UPDATE)\b|\bUPDATE (\w+)(?:\s+AS)?(?:\s+\w+)?\s+SET\b|\bDELETE FROM (\w+)`)

// written are the rights to write that the statements in packages need, by
// table.
func written(t *testing.T, dirs ...string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	need := func(table, right string) {
		if !slices.Contains(out[table], right) {
			out[table] = append(out[table], right)
			slices.Sort(out[table])
		}
	}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			into := ""
			for _, m := range writing.FindAllStringSubmatch(string(text), -1) {
				switch {
				case m[1] != "":
					into = m[1]
					need(into, "INSERT")
				case m[2] != "":
					need(into, "UPDATE")
				case m[3] != "":
					need(m[3], "UPDATE")
				default:
					need(m[4], "DELETE")
				}
			}
		}
	}
	return out
}

// A right that no statement needs would keep out a role that works; one that is
// forgotten would be missed by the first caller.
func TestOpenAsksForTheRightsThatTheStatementsNeed(t *testing.T) {
	t.Parallel()
	want := written(t, ".", filepath.Join("..", "registry"))
	got := map[string][]string{}
	reads := map[string]bool{}
	for _, r := range postgres.Rights() {
		switch {
		case r.Kind != "TABLE" || strings.Contains(r.Any, ","):
		case r.Any == "SELECT":
			reads[r.Name] = true
		default:
			got[r.Name] = append(got[r.Name], r.Any)
		}
	}
	for _, rights := range got {
		slices.Sort(rights)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rights to write by table, statements - asked for +:\n%s", diff)
	}
	rows, err := raw(t, pgtest.Ready(t)).Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if !reads[table] {
			t.Errorf("the right to read %s is not asked for", table)
		}
	}
}
