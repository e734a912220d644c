package movein_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/movein"
	"github.com/countersign/countersign/internal/store/testdb"
)

// rowsPerTable is how many rows each table of a test's source gets.
const rowsPerTable = 40

// filled makes an SQLite database with rows in every table that it has, of
// values that fit what PostgreSQL calls the columns' types, and returns its
// path and how many rows each table has.
func filled(t *testing.T, target string) (path string, counts map[string]int64) {
	t.Helper()
	path = testdb.Blank(t)
	db := openFile(t, path)
	counts = map[string]int64{}
	random := rand.New(rand.NewPCG(1, 2))
	conn := connect(t, target)
	filling, err := db.BeginTx(t.Context(), nil) // one sync for all of them
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tablesOf(t, db) {
		columns, there := columnsOf(t, db, table), table
		if table == "recipients" {
			there = "tallies"
		}
		kinds := kindsOf(t, conn, there)
		for n := range int64(rowsPerTable) {
			names, marks, values := []string{}, []string{}, []any{}
			for _, c := range columns {
				names, marks, values = append(names, `"`+c+`"`), append(marks, "?"), append(values, value(random, table, c, kinds[c], n))
			}
			query := fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s)`, table, strings.Join(names, ", "), strings.Join(marks, ", "))
			if _, err := filling.ExecContext(t.Context(), query, values...); err != nil {
				t.Fatalf("fill %s: %v", table, err)
			}
			counts[there]++
		}
	}
	if _, err := filling.ExecContext(t.Context(), "INSERT INTO meta (name, value) VALUES ('clock_high_water', 1234567890), ('root_key_id', 77)"); err != nil {
		t.Fatal(err)
	}
	if err := filling.Commit(); err != nil {
		t.Fatal(err)
	}
	return path, counts
}

// value is one for the n-th row of a table: different in every row where it may
// have to be, and fitting the references between tables.
func value(random *rand.Rand, table, column, kind string, n int64) any {
	switch {
	case column == "otp" && kind == "":
		return n + 1
	case table == "accounts" && column == "id", table == "audit" && column == "seq":
		return n + 1
	case column == "account_id":
		return n + 1
	case table == "console_users" && column == "id", column == "user_id":
		return fmt.Sprintf("user %d", n)
	case table == "applications" && column == "is_default":
		return n % 2
	case column == "state":
		return int64(3)
	}
	switch kind {
	case "bool":
		return random.Int64N(2)
	case "int2":
		return random.Int64N(1 << 15)
	case "int4":
		return random.Int64N(1 << 31)
	case "int8":
		return random.Int64()>>1 + n
	case "text":
		return fmt.Sprintf("%s %d Ünïcödé '\"\\ \t\n %d", column, n, random.Int64())
	case "bytea":
		return append(binary.BigEndian.AppendUint64(nil, random.Uint64()), byte(n), 0, 255)
	case "_int8":
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(n)), random.Uint64())
	}
	panic("no value for a " + kind + " in " + table + "." + column)
}

func openFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func texts(t *testing.T, db *sql.DB, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tablesOf are those with rows of their own, those that others refer to first.
func tablesOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return texts(t, db, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT IN ('goose_db_version', 'meta', 'versions')
		ORDER BY name <> 'accounts', name <> 'console_users', name`)
}

func columnsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	return texts(t, db, "SELECT name FROM pragma_table_info(?)", table)
}

// kindsOf are the columns' types in PostgreSQL.
func kindsOf(t *testing.T, conn *pgx.Conn, table string) map[string]string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT a.attname, y.typname FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0`, table)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error { out[name] = kind; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func number(t *testing.T, url, query string) (n int64) {
	t.Helper()
	if err := connect(t, url).QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// rows counts a target's.
func rows(t *testing.T, url string, counts map[string]int64) (n int64) {
	t.Helper()
	conn := connect(t, url)
	for table := range counts {
		var more int64
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&more); err != nil {
			t.Fatal(err)
		}
		n += more
	}
	return n
}

func TestEveryRowOfEveryTableMovesAndASecondRunFindsIt(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, counts := filled(t, url)
	report, err := movein.Run(t.Context(), movein.Config{From: path, To: url})
	if err != nil {
		t.Fatal(err)
	}
	if report.Again || len(report.Tables) != len(counts) {
		t.Errorf("%d tables were moved, again: %v; want %d, false", len(report.Tables), report.Again, len(counts))
	}
	for _, table := range report.Tables {
		if got := number(t, url, "SELECT count(*) FROM "+table.Name); got != counts[table.Name] || table.Rows != got {
			t.Errorf("%s has %d rows, %d reported; want %d", table.Name, got, table.Rows, counts[table.Name])
		}
	}
	db, conn := openFile(t, path), connect(t, url)
	var reference, text string
	var sends []byte
	var plain []int64
	var one, other int64
	if err := db.QueryRowContext(t.Context(), "SELECT reference FROM otps WHERE account_id = 7").Scan(&reference); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT reference FROM otps WHERE account_id = 7").Scan(&text); err != nil || text != reference {
		t.Errorf("a reference reads %q, %v; want %q", text, err, reference)
	}
	if err := db.QueryRowContext(t.Context(), "SELECT sends, updated_at FROM tallies WHERE account_id = 7").Scan(&sends, &one); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "SELECT sends, updated_at FROM tallies WHERE account_id = 7").Scan(&plain, &other); err != nil {
		t.Fatal(err)
	}
	var packed []byte
	for _, n := range plain {
		packed = binary.BigEndian.AppendUint64(packed, uint64(n))
	}
	if !bytes.Equal(packed, sends) || one != other {
		t.Errorf("a tally reads %v, %d; want %x, %d", plain, other, sends, one)
	}
	for query, want := range map[string]int64{
		"SELECT value FROM meta WHERE name = 'clock_high_water'":                                                            1234567890,
		"SELECT value FROM meta WHERE name = 'root_key_id'":                                                                 77,
		"SELECT count(*) FROM versions WHERE name = 'quarantine' AND value <> 0":                                            0,
		"SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND NOT relforcerowsecurity":                  0,
		"SELECT (SELECT max(seq) FROM otps) - nextval(pg_get_serial_sequence('otps', 'seq'))":                               -1,
		"SELECT (SELECT max(id) FROM accounts) - nextval(pg_get_serial_sequence('accounts', 'id'))":                         -1,
		"SELECT (SELECT max(seq) FROM api_keys) - nextval(pg_get_serial_sequence('api_keys', 'seq'))":                       -1,
		"SELECT count(*) FROM (SELECT account_id <> row_number() OVER (ORDER BY seq) AS moved FROM api_keys) k WHERE moved": 0,
	} {
		if got := number(t, url, query); got != want {
			t.Errorf("%s = %d; want %d", query, got, want)
		}
	}
	if got := texts(t, db, "SELECT value <> 0 FROM versions WHERE name = 'quarantine'"); len(got) != 1 || got[0] != "1" {
		t.Errorf("the source's quarantine is %v; want it on", got)
	}

	second, err := movein.Run(t.Context(), movein.Config{From: path, To: url})
	if err != nil || !second.Again || second.Rows != report.Rows {
		t.Errorf("a second run found %d rows, again: %v, %v; want %d, true", second.Rows, second.Again, err, report.Rows)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE otps SET attempts = 12345 WHERE account_id = 9"); err != nil {
		t.Fatal(err)
	}
	if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); !errors.Is(err, movein.ErrNotEmpty) {
		t.Errorf("after a change of the source: %v; want ErrNotEmpty", err)
	}
}

func TestAMoveBringsTextsAndBytesWhateverTheTargetsSettings(t *testing.T) {
	t.Parallel()
	for _, parameter := range []string{"pool_max_conns=4", "default_query_exec_mode=exec"} {
		t.Run(parameter, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			path, _ := filled(t, url)
			if _, err := openFile(t, path).ExecContext(t.Context(), "UPDATE accounts SET name = 'Grün ' || id"); err != nil {
				t.Fatal(err)
			}
			for _, setting := range []string{"client_encoding = ''WIN1252''", "bytea_output = ''escape''"} {
				pgtest.Exec(t, url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "+setting+"', current_database()); END $$")
			}
			if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url + "&" + parameter}); err != nil {
				t.Fatal(err)
			}
			var name string
			if err := connect(t, url+"&client_encoding=UTF8").QueryRow(t.Context(), "SELECT name FROM accounts WHERE id = 1").Scan(&name); err != nil || name != "Grün 1" {
				t.Errorf("an account's name arrived as %q, %v; want Grün 1", name, err)
			}
		})
	}
}

func TestADatabaseWithDataOfItsOwnIsNotMovedInto(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, counts := filled(t, url)
	pgtest.Exec(t, url, "INSERT INTO accounts (name, created_at) VALUES ('default', 1)")
	if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); !errors.Is(err, movein.ErrNotEmpty) {
		t.Errorf("Run = %v; want ErrNotEmpty", err)
	}
	if n := rows(t, url, counts); n != 1 {
		t.Errorf("the target has %d rows; want its own one", n)
	}
	if got := texts(t, openFile(t, path), "SELECT value FROM versions WHERE name = 'quarantine' AND value <> 0"); len(got) != 0 {
		t.Error("the source is quarantined though nothing was moved")
	}
}

func TestARowThatArrivesOtherwiseOrNotAtAllUndoesTheMove(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"changed": "NEW.attempts := NEW.attempts + 1; RETURN NEW;",
		"swapped": "NEW.reference := NEW.origin; NEW.origin := OLD_reference; RETURN NEW;",
		"lost":    "RETURN NULL;",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Ready(t)
			path, counts := filled(t, url)
			body := strings.ReplaceAll(body, "OLD_reference", "'x'")
			pgtest.Exec(t, url, "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.account_id = 20 THEN "+body+" END IF; RETURN NEW; END $$;"+
				"CREATE TRIGGER spoil BEFORE INSERT ON otps FOR EACH ROW EXECUTE FUNCTION spoil()")
			if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); !errors.Is(err, movein.ErrDiffers) || !strings.Contains(err.Error(), "otps") {
				t.Errorf("Run = %v; want ErrDiffers of otps", err)
			}
			if n := rows(t, url, counts); n != 0 {
				t.Errorf("the target has %d rows; want none", n)
			}
			pgtest.Exec(t, url, "DROP TRIGGER spoil ON otps")
			if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); err != nil {
				t.Errorf("a second run: %v", err)
			}
		})
	}
}

func TestAMoveThatIsCutOffLeavesNothingAndIsRepeated(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, counts := filled(t, url)
	for stop := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		moved := 0
		_, err := movein.Run(ctx, movein.Config{From: path, To: url, Moved: func(movein.Table) {
			if moved++; moved == 1+stop*len(counts)/3 {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cut off after %d tables: %v; want that it was cancelled", moved, err)
		}
		if n := rows(t, url, counts); n != 0 {
			t.Errorf("cut off after %d tables, the target has %d rows; want none", moved, n)
		}
	}
	if report, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); err != nil || report.Again {
		t.Errorf("begun anew: again: %v, %v", report.Again, err)
	}
}

func TestWhatPostgreSQLHasNoPlaceForIsRefusedBeforeAnythingMoves(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, counts := filled(t, url)
	for _, statement := range []string{"ALTER TABLE otps ADD COLUMN novel TEXT", "CREATE TABLE novel (id INTEGER)"} {
		if _, err := openFile(t, path).ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); !errors.Is(err, movein.ErrSchema) || !strings.Contains(err.Error(), "novel") {
			t.Errorf("%s: %v; want ErrSchema that names it", statement, err)
		}
	}
	if n := rows(t, url, counts); n != 0 {
		t.Errorf("the target has %d rows; want none", n)
	}
}

// A carrier chooses its ids, and SQLite holds any octets.
func TestTheIDsThatCarriersGaveMoveInAFormThatReceiptsFind(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, _ := filled(t, url)
	db := openFile(t, path)
	want := map[string]string{}
	for n, ref := range []string{"a\x00b", "\xff\xfe", "(uncertain)\x01", "plain", "(uncertain)plain", "(hex)6100"} {
		kept := delivery.KeptRef(ref)
		want[kept] = strconv.Itoa(n + 1)
		if _, err := db.ExecContext(t.Context(), "UPDATE deliveries SET ref = ? WHERE account_id = ?", ref, n+1); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second run finds it
		if _, err := movein.Run(t.Context(), movein.Config{From: path, To: url}); err != nil {
			t.Fatal(err)
		}
	}
	for ref, account := range want {
		if got := number(t, url, "SELECT count(*) FROM deliveries WHERE account_id = "+account+" AND ref = '"+ref+"'"); got != 1 {
			t.Errorf("%d deliveries of account %s are there as %q, want 1", got, account, ref)
		}
	}
}

func TestATextThatPostgreSQLCannotHoldIsNamed(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	path, _ := filled(t, url)
	if _, err := openFile(t, path).ExecContext(t.Context(), "UPDATE deliveries SET carrier = ? WHERE account_id = 3", "a\x00b"); err != nil {
		t.Fatal(err)
	}
	_, err := movein.Run(t.Context(), movein.Config{From: path, To: url})
	if !errors.Is(err, movein.ErrText) || !strings.Contains(err.Error(), "table deliveries") || !strings.Contains(err.Error(), "column carrier") {
		t.Errorf("Run = %v; want ErrText, and the table and column", err)
	}
}
