package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/internal/store/schema"
)

//go:embed migrations/*.sql
var migrations embed.FS

// prepareSchema sets up an empty schema, brings an older one up if it may, and
// refuses one that must not be touched before anything of it is changed.
func prepareSchema(ctx context.Context, c *pgxpool.Config, may bool) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	known, err := schema.Newest(migrations)
	if err != nil {
		return err
	}
	plain := c.ConnConfig.Copy()
	delete(plain.RuntimeParams, "lock_timeout") // a table is waited for as long as the role's own says
	db := stdlib.OpenDB(*plain)
	defer db.Close()
	pending, err := examine(ctx, db, known, may)
	if errors.Is(err, ErrOlder) { // or another node is amid setting it up
		if err := settled(ctx, plain); err != nil {
			return err
		}
		pending, err = examine(ctx, db, known, may)
	}
	if err != nil || !pending {
		return err
	}
	unlock, err := lockSchema(ctx, plain)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := goose.NewProvider(goose.DialectPostgres, db, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		if stateOf(err) == stateNoRights {
			return fmt.Errorf("%w: it must be allowed to create tables in its schema: %w", ErrRights, safe(err))
		}
		return fmt.Errorf("migrate database: %w", safe(err))
	}
	return nil
}

// unlockTime bounds giving the schema's lock back; a server that does not answer
// gives it back when it finds the connection gone.
const unlockTime = 5 * time.Second

// schemaLock has the key that every version locks, in a transaction or, earlier
// ones, for a session: the two wait for each other.
const schemaLock = "SELECT pg_advisory_xact_lock(hashtextextended('countersign migrate ' || current_schema(), 0))"

// unbounded lets a transaction wait, and be waited for, as long as it takes,
// whatever the role's settings. A pooler in between drops those of a connection's
// start; not every server knows all of these.
const unbounded = `SELECT count(set_config(name, '0', true)) FROM pg_settings
	WHERE name IN ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

// lockSchema makes nodes that open one schema at once migrate it one after the
// other. It waits in the server, so that the last of many starts at once. The
// lock is a transaction's on a connection of its own: a pooler that lends
// sessions for a transaction each would take a session's lock on one and give it
// back on another. At read committed, between its statements, the transaction
// has no snapshot that would keep anybody waiting.
func lockSchema(ctx context.Context, c *pgx.ConnConfig) (unlock func(), err error) {
	conn, err := pgx.ConnectConfig(ctx, c.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", safe(err))
	}
	unlock = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTime)
		defer cancel()
		_, _ = conn.Exec(ctx, "ROLLBACK") // a pooler would drop the server's session too
		_ = conn.Close(ctx)
	}
	for _, statement := range [...]string{"BEGIN ISOLATION LEVEL READ COMMITTED", unbounded, schemaLock} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			unlock()
			return nil, fmt.Errorf("wait for other migrations: %w", safe(err))
		}
	}
	return unlock, nil
}

// settled waits for the migrations of other nodes.
func settled(ctx context.Context, c *pgx.ConnConfig) error {
	unlock, err := lockSchema(ctx, c)
	if err == nil {
		unlock()
	}
	return err
}

// examine reports whether migrations are needed.
func examine(ctx context.Context, db *sql.DB, known int64, may bool) (pending bool, err error) {
	have, empty, err := schemaVersion(ctx, db)
	if err == nil && have < known && !empty && !may {
		empty, err = unserved(ctx, db)
	}
	if err != nil {
		return false, err
	}
	return schema.Pending(ctx, db, have, known, may || empty)
}

// unserved reports whether no node has started on a schema: the first one makes an
// account. Each migration is committed by itself, so setting up that was cut
// short leaves an older schema with nothing in it; the first migration makes both
// tables that tell it from another program's.
func unserved(ctx context.Context, db *sql.DB) (bool, error) {
	var empty bool
	err := db.QueryRowContext(ctx, `SELECT count(*) = 2 FROM pg_class WHERE relname IN ('accounts', 'otps')
		AND relkind IN ('r', 'p') AND relnamespace = to_regnamespace(quote_ident(current_schema()))`).Scan(&empty)
	if err == nil && empty {
		err = db.QueryRowContext(ctx, "SELECT NOT EXISTS (SELECT FROM accounts)").Scan(&empty)
	}
	if stateOf(err) == stateNoRights {
		return false, nil // somebody else's, then
	}
	if err != nil {
		return false, fmt.Errorf("look for accounts: %w", safe(err))
	}
	return empty, nil
}

// schemaVersion reads the version of the schema without changing it. A schema
// that another node is just setting up counts as empty.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, empty bool, err error) {
	var current sql.NullString
	var tables int
	var marked bool
	err = db.QueryRowContext(ctx, `SELECT current_schema(),
		(SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = to_regnamespace(quote_ident(current_schema()))),
		to_regclass(quote_ident(current_schema()) || '.goose_db_version') IS NOT NULL`).Scan(&current, &tables, &marked)
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("read the database's schema: %w", safe(err))
	case !current.Valid:
		return 0, false, fmt.Errorf("%w: no schema of its search_path exists or may be used", ErrRights)
	case tables == 0:
		return 0, true, nil
	case !marked:
		return 0, false, errors.New("read the database's schema version: the schema has tables of another program")
	}
	err = db.QueryRowContext(ctx, schema.Applied).Scan(&version)
	if err != nil {
		if stateOf(err) == stateNoRights {
			return 0, false, fmt.Errorf("%w: it must own the tables: %w", ErrRights, safe(err))
		}
		return 0, false, fmt.Errorf("read the database's schema version: %w", safe(err))
	}
	return version, version == 0, nil
}
