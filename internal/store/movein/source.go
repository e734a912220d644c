package movein

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/countersign/countersign/internal/store/registry"
)

// source is the SQLite database. Nothing can change it while it is open.
type source struct {
	db   *sql.DB
	conn *sql.Conn
}

func openSource(ctx context.Context, path string) (*source, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	q := url.Values{"mode": {"rw"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(busyTime.Milliseconds(), 10) + ")", "synchronous(FULL)",
	}}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the source: %w", err), db.Close())
	}
	s := &source{db, conn}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return nil, errors.Join(fmt.Errorf("stop the source's writers: %w", err), s.close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// close undoes what quarantine has not committed.
func (s *source) close(ctx context.Context) error {
	_, _ = s.conn.ExecContext(ctx, "ROLLBACK") // no transaction, no matter
	return errors.Join(s.conn.Close(), s.db.Close())
}

// quarantine marks the source, durably, and ends the work on it.
func (s *source) quarantine(ctx context.Context) error {
	for _, statement := range []string{
		`INSERT INTO versions (name, value) VALUES ('` + registry.QuarantineName + `', CAST(unixepoch('subsec') * 1000000 AS INTEGER))
			ON CONFLICT (name) DO UPDATE SET value = CASE value WHEN 0 THEN excluded.value ELSE value END`,
		"COMMIT",
	} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("everything was moved; quarantine the source: %w", err)
		}
	}
	return nil
}

// schema returns the tables and views with their columns, by name.
func (s *source) schema(ctx context.Context) (map[string]table, error) {
	rows, err := s.conn.QueryContext(ctx, `SELECT t.name, c.name, l.wr OR t.type = 'view' FROM sqlite_schema t JOIN pragma_table_list l ON l.name = t.name AND l.schema = 'main'
		JOIN pragma_table_info(t.name) c WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid`)
	if err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	defer rows.Close()
	out := map[string]table{}
	for rows.Next() {
		var name, col string
		var unnumbered bool
		if err := rows.Scan(&name, &col, &unnumbered); err != nil {
			return nil, fmt.Errorf("read the source's schema: %w", err)
		}
		t := out[name]
		t.name, t.columns, t.ordered = name, append(t.columns, column{name: col}), !unnumbered
		out[name] = t
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the source's schema: %w", err)
	}
	return out, nil
}

func (s *source) rows(ctx context.Context, t table) (*sql.Rows, error) {
	query := "SELECT " + t.names() + " FROM " + quoted(t.name) //nolint:gosec // the schema's names
	if t.ordered {
		query += " ORDER BY rowid"
	}
	rows, err := s.conn.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return rows, nil
}

func (s *source) sum(ctx context.Context, t table) (int64, [sha256.Size]byte, error) {
	rows, err := s.rows(ctx, t) //nolint:rowserrcheck // f.Err does
	if err != nil {
		return 0, [sha256.Size]byte{}, err
	}
	defer rows.Close()
	f := feed{rows: rows, table: t}
	for f.Next() {
	}
	return f.sum.rows, f.sum.hash(), f.Err()
}

// numbers reads a table of names and numbers, but for those named in not.
func (s *source) numbers(ctx context.Context, name string, not ...string) (map[string]int64, error) {
	rows, err := s.conn.QueryContext(ctx, "SELECT name, value FROM "+quoted(name)) //nolint:gosec // as above
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var n string
		var v int64
		if err := rows.Scan(&n, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		out[n] = v
	}
	for _, n := range not {
		delete(out, n)
	}
	return out, rows.Err() //nolint:wrapcheck // of the rows just read
}
