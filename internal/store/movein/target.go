package movein

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/schema"
)

// target is the PostgreSQL database, in the one transaction that fills it.
type target struct {
	conn *pgx.Conn
	tx   pgx.Tx
}

func openTarget(ctx context.Context, url string) (*target, error) {
	pool, err := pgxpool.ParseConfig(url) // which knows the parameters of pools too
	if err != nil {
		return nil, errors.New("open the target: its URL cannot be read")
	}
	c := pool.ConnConfig
	c.RuntimeParams["client_encoding"] = "UTF8" // as every text is, whatever the database's default
	if c.ValidateConnect == nil {
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open the target: %w", said(err))
	}
	t := &target{conn: conn}
	if t.tx, err = conn.Begin(ctx); err == nil {
		_, err = t.tx.Exec(ctx, "SET LOCAL lock_timeout = '"+lockTime+"'; SET LOCAL bytea_output = 'hex'")
	}
	if err != nil {
		t.close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("open the target: %w", said(err))
	}
	return t, nil
}

// close undoes what commit has not.
func (t *target) close(ctx context.Context) {
	if t.tx != nil {
		_ = t.tx.Rollback(ctx)
	}
	_ = t.conn.Close(ctx)
}

const columnsOfTarget = `SELECT c.relname, a.attname, t.typname, a.attidentity <> ''
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
	WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY c.relname, a.attnum`

const referencesOfTarget = `SELECT f.relname, p.relname FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
	WHERE k.contype = 'f' AND f.relnamespace = to_regnamespace(quote_ident(current_schema()))`

// schema returns the tables with their columns, by name.
func (t *target) schema(ctx context.Context) (map[string]table, error) {
	out := map[string]table{}
	var name, other string
	var c column
	rows, _ := t.tx.Query(ctx, columnsOfTarget) // its error is ForEachRow's
	_, err := pgx.ForEachRow(rows, []any{&name, &c.name, &c.kind, &c.identity}, func() error {
		one := out[name]
		one.name, one.columns = name, append(one.columns, c)
		out[name] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the target's schema: %w", said(err))
	}
	rows, _ = t.tx.Query(ctx, referencesOfTarget) // as above
	_, err = pgx.ForEachRow(rows, []any{&name, &other}, func() error {
		one := out[name]
		one.after = append(one.after, other)
		out[name] = one
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the target's schema: %w", said(err))
	}
	return out, nil
}

// movedMeta is the meta row that a move leaves.
const movedMeta = "moved_in"

// state locks the target against everybody else and reports whether its tables
// are empty, and the mark of an earlier move, 0 for none.
func (t *target) state(ctx context.Context, tables []table) (moved int64, empty bool, err error) {
	var names, some []string
	for _, one := range tables {
		names = append(names, quoted(one.name))
		some = append(some, "EXISTS (SELECT FROM "+quoted(one.name)+")")
	}
	if _, err := t.tx.Exec(ctx, "LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return 0, false, fmt.Errorf("keep others away from the target: %w", said(err))
	}
	var full bool
	if err := t.tx.QueryRow(ctx, "SELECT "+strings.Join(some, " OR ")).Scan(&full); err != nil {
		return 0, false, fmt.Errorf("look into the target: %w", said(err))
	}
	err = t.tx.QueryRow(ctx, "SELECT value FROM meta WHERE name = $1", movedMeta).Scan(&moved)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, false, fmt.Errorf("look into the target: %w", said(err))
	}
	return moved, !full, nil
}

// copyIn copies a table's rows. Row-level security does not let COPY pass, so
// it does not hold for the owner until finish.
func (t *target) copyIn(ctx context.Context, one table, rows pgx.CopyFromSource) error {
	if _, err := t.tx.Exec(ctx, "ALTER TABLE "+quoted(one.name)+" NO FORCE ROW LEVEL SECURITY"); err != nil {
		return fmt.Errorf("write: %w", said(err))
	}
	if _, err := t.tx.CopyFrom(ctx, pgx.Identifier{one.name}, one.plainNames(), rows); err != nil {
		return fmt.Errorf("write: %w", said(err))
	}
	return nil
}

// sum reads a table back.
func (t *target) sum(ctx context.Context, one table) (int64, [sha256.Size]byte, error) {
	var s sum
	rows, err := t.tx.Query(ctx, "SELECT "+one.names()+" FROM "+quoted(one.name))
	if err != nil {
		return 0, s.hash(), fmt.Errorf("read back: %w", said(err))
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return 0, s.hash(), fmt.Errorf("read back: %w", said(err))
		}
		for i, v := range values {
			values[i] = plain(v)
		}
		if err := s.add(values); err != nil {
			return 0, s.hash(), err
		}
	}
	if err := rows.Err(); err != nil {
		return 0, s.hash(), fmt.Errorf("read back: %w", said(err))
	}
	return s.rows, s.hash(), nil
}

// plain is a value of pgx in the type that read gives it.
func plain(v any) any {
	switch v := v.(type) {
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case []any:
		list := make([]int64, 0, len(v))
		for _, e := range v {
			n, ok := e.(int64)
			if !ok {
				return e // which no sum takes
			}
			list = append(list, n)
		}
		return list
	}
	return v
}

// quarantined tells whether the target is, with what finish has brought.
const quarantined = `SELECT EXISTS (SELECT FROM versions WHERE name = '` + registry.QuarantineName + `' AND value <> 0)`

// finish brings what is not in rows, the source's quarantine among it, and makes
// new rows get new numbers. It reports whether the target is quarantined.
func (t *target) finish(ctx context.Context, from *source, tables []table, mark int64) (held bool, err error) {
	// Schema versions are counted by each engine.
	for name, not := range map[string][]string{metaTable: {schema.OldestReader, schema.SaidBy}, versionsTable: nil} {
		numbers, err := from.numbers(ctx, name, not...)
		if err != nil {
			return false, err
		}
		if name == metaTable {
			numbers[movedMeta] = mark
		}
		for key, value := range numbers {
			// A command that looked into the target has bound it to root keys of its own:
			// the source's take their place.
			_, err := t.tx.Exec(ctx, "INSERT INTO "+quoted(name)+` AS t (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET
				value = CASE WHEN t.name IN ('`+registry.KeyMeta+`', '`+registry.IndexMeta+`') THEN excluded.value ELSE greatest(t.value, excluded.value) END`, key, value)
			if err != nil {
				return false, fmt.Errorf("write %s: %w", name, said(err))
			}
		}
	}
	if err := t.tx.QueryRow(ctx, quarantined).Scan(&held); err != nil {
		return false, fmt.Errorf("read the quarantine: %w", said(err))
	}
	for _, one := range tables {
		if i := slices.IndexFunc(one.columns, func(c column) bool { return c.identity }); i >= 0 {
			c := quoted(one.columns[i].name)
			_, err := t.tx.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, $2), max("+c+")) FROM "+quoted(one.name)+" HAVING max("+c+") IS NOT NULL",
				quoted(one.name), one.columns[i].name)
			if err != nil {
				return false, fmt.Errorf("number %s: %w", one.name, said(err))
			}
		}
		force := "ALTER TABLE " + quoted(one.name) + " FORCE ROW LEVEL SECURITY"
		if _, err := t.tx.Exec(ctx, "DO $$ BEGIN IF (SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('"+strings.ReplaceAll(quoted(one.name), "'", "''")+"')) THEN "+force+"; END IF; END $$"); err != nil {
			return false, fmt.Errorf("guard %s: %w", one.name, said(err))
		}
	}
	return held, nil
}

// commit makes what finish has brought last. When ctx ends it goes on, for more:
// PostgreSQL may be done already, and then the source has to become a copy. After
// ErrUnknown it is done, or will be, or was not done.
func (t *target) commit(ctx context.Context, more time.Duration) error {
	apart, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(more, cancel) })()
	if err := t.tx.Commit(apart); err != nil {
		return fmt.Errorf("commit: %w: %w", ErrUnknown, said(err))
	}
	t.tx = nil
	return nil
}

// analyze gives the target statistics after commit: plans for tables that were
// empty a moment ago are bad ones.
func (t *target) analyze(ctx context.Context, tables []table) error {
	names := make([]string, len(tables))
	for i, one := range tables {
		names[i] = quoted(one.name)
	}
	if _, err := t.conn.Exec(ctx, "ANALYZE "+strings.Join(names, ", ")); err != nil {
		return fmt.Errorf("everything was moved, and its source is quarantined; look at its statistics: %w", said(err))
	}
	return nil
}
