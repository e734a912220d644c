package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

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
	delete(plain.RuntimeParams, "lock_timeout") // another node's migration is waited for
	db := stdlib.OpenDB(*plain)
	defer db.Close()
	pending, err := examine(ctx, db, known, may)
	if errors.Is(err, ErrOlder) { // or another node is amid setting it up
		if err := settled(ctx, db); err != nil {
			return err
		}
		pending, err = examine(ctx, db, known, may)
	}
	if err != nil || !pending {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(schemaLock{}))
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

// schemaLock makes nodes that open one schema at once migrate it one after the
// other. It waits in the server, so that the last of many starts at once.
type schemaLock struct{}

const schemaLockKey = "hashtextextended('countersign migrate ' || current_schema(), 0)"

// settled waits for the migrations of other nodes.
func settled(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", safe(err))
	}
	defer conn.Close()
	if err := (schemaLock{}).SessionLock(ctx, conn); err != nil {
		return err
	}
	return schemaLock{}.SessionUnlock(ctx, conn)
}

// SessionLock implements lock.SessionLocker.
func (schemaLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+schemaLockKey+")"); err != nil {
		return fmt.Errorf("wait for other migrations: %w", err)
	}
	return nil
}

// SessionUnlock implements lock.SessionLocker.
func (schemaLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock("+schemaLockKey+")"); err != nil {
		return fmt.Errorf("end the migration: %w", err)
	}
	return nil
}

// examine reports whether migrations are needed.
func examine(ctx context.Context, db *sql.DB, known int64, may bool) (pending bool, err error) {
	have, empty, err := schemaVersion(ctx, db)
	if err != nil {
		return false, err
	}
	return schema.Pending(ctx, db, have, known, may || empty)
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
