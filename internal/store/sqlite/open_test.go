package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/testdb"
)

// try opens the database at path and closes it again.
func try(t testing.TB, path string, migrate bool) error {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: migrate, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return s.Close()
}

// made returns a database of this version, closed, on the disk.
func made(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.db")
	testdb.PutBlank(t, path)
	return path
}

func run(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// killed returns a copy of the database at path as a process leaves it that is
// killed after these statements: they stand in the log only.
func killed(t testing.TB, path string, statements ...string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{"PRAGMA wal_autocheckpoint(0)"}, statements...) {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	left := filepath.Join(t.TempDir(), filepath.Base(path))
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// files reads the whole directory of path, without the index that whoever reads
// a log makes of it.
func files(t testing.TB, path string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = b
	}
	return all
}

func TestADatabaseItMustNotTouchIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	newer := `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`
	saysSo := `UPDATE meta SET value = 9999 WHERE name = 'schema_that_says_so'`
	const older = `INSERT INTO accounts (name, created_at) VALUES ('acme', 1);
		DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T) string
		migrate bool
		is      error
		says    string
	}{
		{"a newer schema", func(t *testing.T) string { p := made(t); run(t, p, newer); return p }, true, sqlite.ErrNewer, "9999"},
		{"a newer schema, without Migrate", func(t *testing.T) string { p := made(t); run(t, p, newer); return p }, false, sqlite.ErrNewer, "9999"},
		{"a newer schema that names a newer oldest reader", func(t *testing.T) string {
			p := made(t)
			run(t, p, newer, saysSo, `UPDATE meta SET value = 9000 WHERE name = 'oldest_schema_that_may_run'`)
			return p
		}, true, sqlite.ErrNewer, "9999"},
		{"a newer schema, in the log that a kill left", func(t *testing.T) string { return killed(t, made(t), newer) }, true, sqlite.ErrNewer, "9999"},
		{"an older schema without Migrate, in the log that a kill left", func(t *testing.T) string {
			return killed(t, made(t), older)
		}, false, sqlite.ErrOlder, "migrate"},
		{"an older schema without Migrate", func(t *testing.T) string { p := made(t); run(t, p, older); return p }, false, sqlite.ErrOlder, "migrate"},
		{"another program's database", func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "notes.db")
			run(t, p, `CREATE TABLE notes (text TEXT)`, `INSERT INTO notes VALUES ('keep me')`)
			return p
		}, true, nil, "is it a Countersign database?"},
		{"another program's database with a goose table", func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "notes.db")
			run(t, p, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER, tstamp TEXT)`,
				`INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (77, 1)`, `CREATE TABLE notes (text TEXT)`)
			return p
		}, true, sqlite.ErrNewer, "77"},
		{"no database at all", func(t *testing.T) string {
			p := filepath.Join(t.TempDir(), "letter.txt")
			if err := os.WriteFile(p, bytes.Repeat([]byte("Dear Sir or Madam, "), 100), 0o600); err != nil {
				t.Fatal(err)
			}
			return p
		}, true, nil, "not a database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := c.prepare(t)
			before := files(t, path)
			err := try(t, path, c.migrate)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open = %v, want a refusal that says %q (%v)", err, c.says, c.is)
			}
			if diff := cmp.Diff(before, files(t, path)); diff != "" {
				t.Errorf("the refused database was touched (%d bytes of difference)", len(diff))
			}
		})
	}
}

func TestADatabaseWhoseSettingUpWasCutShortCountsAsEmpty(t *testing.T) {
	t.Parallel()
	for _, reached := range []int64{1, 5} {
		path := filepath.Join(t.TempDir(), "countersign.db")
		db := raw(t, path)
		p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations"))
		if err == nil {
			_, err = p.UpTo(t.Context(), reached)
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := try(t, path, false); err != nil {
			t.Errorf("a first start after one that was cut short at schema %d: %v", reached, err)
		}
	}
}

func TestANewerSchemaThatSaysSoIsRunOn(t *testing.T) {
	t.Parallel()
	path := made(t)
	run(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`,
		`UPDATE meta SET value = 1 WHERE name = 'oldest_schema_that_may_run'`,
		`UPDATE meta SET value = 9999 WHERE name = 'schema_that_says_so'`)
	if err := try(t, path, true); err != nil {
		t.Errorf("Open of a newer schema that this version may run on: %v (D-11)", err)
	}
}

func TestTheVersionBeforeMayRunOnThisSchema(t *testing.T) {
	t.Parallel()
	var oldest, before, said, newest int64
	db := raw(t, made(t))
	for query, into := range map[string]*int64{
		`SELECT value FROM meta WHERE name = 'oldest_schema_that_may_run'`:                  &oldest,
		`SELECT version_id FROM goose_db_version ORDER BY version_id DESC LIMIT 1 OFFSET 1`: &before,
		`SELECT value FROM meta WHERE name = 'schema_that_says_so'`:                         &said,
		`SELECT max(version_id) FROM goose_db_version`:                                      &newest,
	} {
		if err := db.QueryRowContext(t.Context(), query).Scan(into); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	if oldest > before {
		t.Errorf("schemas from %d may run, and the one before is %d (D-11)", oldest, before)
	}
	if said != newest {
		t.Errorf("schema %d says what may run on schema %d: whoever made the newer one has to", said, newest)
	}
}

// madeUpTo is a database with the schema of an earlier version.
func madeUpTo(t *testing.T, version int64) (path string) {
	t.Helper()
	embedded, err := fs.Sub(sqlite.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "countersign.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, embedded)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryEarlierSchemaIsBroughtUpWithItsData(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(sqlite.Migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	want := schema(t, made(t))
	for _, name := range names[:len(names)-1] {
		version, err := goose.NumericComponent(name)
		if err != nil {
			t.Fatal(err)
		}
		path := madeUpTo(t, version)
		run(t, path, `INSERT INTO accounts (name, created_at) VALUES ('acme', 1)`)
		if err := try(t, path, false); !errors.Is(err, sqlite.ErrOlder) {
			t.Errorf("schema %d without Migrate = %v, want ErrOlder", version, err)
		}
		if err := try(t, path, true); err != nil {
			t.Errorf("schema %d with Migrate: %v", version, err)
		}
		if diff := cmp.Diff(want, schema(t, path)); diff != "" {
			t.Errorf("the schema brought up from %d differs from a new one:\n%s", version, diff)
		}
		var account string
		if err := raw(t, path).QueryRowContext(t.Context(), `SELECT name FROM accounts`).Scan(&account); err != nil || account != "acme" {
			t.Errorf("from schema %d the account is %q, %v; want acme", version, account, err)
		}
	}
}

// schema lists what a database is made of.
func schema(t testing.TB, path string) map[string]string {
	t.Helper()
	rows, err := raw(t, path).QueryContext(t.Context(), `SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			t.Fatal(err)
		}
		all[name] = text
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOnlyTheOwnerMayReadTheDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.db")
	s := open(t, path, nil)
	if err := s.Write(t.Context(), put("test-a")); err != nil { // makes the WAL
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v; want the database, its WAL and its index", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s is %v, %v; want 0600", e.Name(), info.Mode().Perm(), err)
		}
	}
}

func TestAnyPathWillDo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with space.db", "100%.db", "%41.db", "what?.db", "a#b.db", "a&b=c.db", "größe.db", ":memory:", "file:x.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Errorf("Open of %q: %v", name, err)
			continue
		}
		if err := s.Write(t.Context(), put("test-a")); err != nil {
			t.Errorf("Write to %q: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close of %q: %v", name, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("the database %q is not in its file: %v", name, err)
		}
	}
}

func TestADatabaseThatCannotBeOpenedSaysWhy(t *testing.T) {
	t.Parallel()
	if err := try(t, filepath.Join(t.TempDir(), "no", "such", "directory.db"), true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open in a missing directory = %v, want fs.ErrNotExist", err)
	}
	if err := try(t, t.TempDir(), true); err == nil {
		t.Error("a directory was opened as a database")
	}
}

func TestTwoStoresOnOneFileBothWrite(t *testing.T) {
	t.Parallel()
	path := made(t)
	server, command := open(t, path, nil), open(t, path, nil)
	done := make(chan error, 2)
	const each = 200
	for name, s := range map[string]*sqlite.Store{"server": server, "command": command} {
		go func() {
			for i := range each {
				if err := s.Write(t.Context(), put("test-"+name+string(rune('a'+i/26))+string(rune('a'+i%26)))); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("Write beside another store: %v", err)
		}
	}
	for name, s := range map[string]*sqlite.Store{"server": server, "command": command} {
		if got := len(names(t, s.Reader())); got != 2*each {
			t.Errorf("the %s sees %d rows, want %d", name, got, 2*each)
		}
	}
}

func TestManyProcessesMaySetUpOneDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.db")
	begin, done := make(chan struct{}), make(chan error)
	const processes = 6
	for range processes {
		go func() {
			<-begin
			done <- try(t, path, true)
		}()
	}
	close(begin)
	for range processes {
		if err := <-done; err != nil {
			t.Errorf("Open beside others on an empty file: %v", err)
		}
	}
	if err := try(t, path, false); err != nil {
		t.Errorf("the database that many set up: %v", err)
	}
}
