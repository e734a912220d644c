package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/internal/store/sqlite"
)

// A first start that cannot make files says so instead of trying for a minute.
func TestOnlyAnotherProcesssMigrationIsAReasonToTryAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	do := func(path string, statements ...string) (err error) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1) // for pragmas
		for _, s := range statements {
			if _, err = db.ExecContext(t.Context(), s); err != nil {
				return err
			}
		}
		return nil
	}
	holder, err := sql.Open("sqlite", filepath.Join(dir, "busy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	held, err := holder.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := held.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"a table that is there", do(filepath.Join(dir, "a.db"), "CREATE TABLE t (x)", "CREATE TABLE t (x)"), true},
		{"a version that is noted", do(filepath.Join(dir, "b.db"), "CREATE TABLE t (x UNIQUE)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"), true},
		{"a lock", do(filepath.Join(dir, "busy.db"), "PRAGMA busy_timeout(0)", "CREATE TABLE t (x)"), true},
		{"goose's own refusal", errors.New("found 1 missing migrations"), true},
		{"a full disk", do(filepath.Join(dir, "c.db"), "CREATE TABLE t (x)", "PRAGMA max_page_count(2)", "INSERT INTO t VALUES (zeroblob(100000))"), false},
		{"a file that cannot be made", do(filepath.Join(dir, "absent", "d.db"), "CREATE TABLE t (x)"), false},
		{"a file that cannot be written", do("file:"+filepath.Join(dir, "a.db")+"?mode=ro", "CREATE TABLE u (x)"), false},
	} {
		if c.err == nil {
			t.Errorf("%s: no error", c.name)
		}
		if got := sqlite.Crossed(c.err); got != c.want {
			t.Errorf("try again after %s (%v): %v, want %v", c.name, c.err, got, c.want)
		}
	}
}
