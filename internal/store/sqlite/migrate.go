package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/countersign/countersign/internal/store/schema"
)

//go:embed migrations/*.sql
var migrations embed.FS

// consent says whether an older schema may be brought up.
type consent bool

const (
	mayMigrate     consent = true
	mustNotMigrate consent = false
)

// examine refuses a database that must not be touched, before anything of it
// is changed: one of a newer schema, of an older one that may not be brought
// up, or of another program. It reports whether migrate is needed.
func examine(ctx context.Context, path string, may consent) (pending bool, err error) {
	known, err := schema.Newest(migrations)
	if err != nil {
		return false, err
	}
	// Without journal_mode(WAL), which would change another program's file.
	db, err := sql.Open("sqlite", looking(path))
	if err != nil {
		return false, fmt.Errorf("open database: %w", err)
	}
	defer db.Close()
	have, empty, err := schemaVersion(ctx, db)
	if err == nil && have < known && !empty && may == mustNotMigrate {
		empty, err = unserved(ctx, db)
	}
	if err != nil {
		return false, err
	}
	return schema.Pending(ctx, db, have, known, may == mayMigrate || empty)
}

// How often and after which pause migrations are begun anew where another
// process made the same ones at the same time: each time at least one of the
// two got further.
const (
	migrateTries = 20
	migratePause = 50 * time.Millisecond
)

// migrate sets up an empty database or brings an older schema up. Several
// processes may do so at once.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	for tries := 1; ; tries++ {
		err := up(ctx, db)
		if err == nil {
			return nil
		}
		pending, unknown := examine(ctx, path, mayMigrate)
		switch {
		case unknown == nil && !pending:
			return nil // by the other one
		case tries == migrateTries, !crossed(err):
			return err
		}
		if pause(ctx, migratePause) != nil {
			return err
		}
	}
}

// crossed reports whether a failure may come of another process that migrates at
// the same time: not one of the disk, which it would meet as well.
func crossed(err error) bool {
	switch resultCode(err) & 0xff {
	case sqliteReadOnly, sqliteIOErr, sqliteFull, sqliteCantOpen:
		return false
	}
	return true
}

func up(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate database: %w", err)
	}
	return nil
}

// unserved reports whether no server has started on a database: the first one
// makes an account. Each migration is committed by itself, so setting up that was
// cut short leaves an older schema with nothing in it; the first migration makes
// both tables that tell it from another program's.
func unserved(ctx context.Context, db *sql.DB) (bool, error) {
	var empty bool
	err := db.QueryRowContext(ctx, "SELECT count(*) = 2 FROM sqlite_schema WHERE type = 'table' AND name IN ('accounts', 'otps')").Scan(&empty)
	if err == nil && empty {
		err = db.QueryRowContext(ctx, "SELECT NOT EXISTS (SELECT 1 FROM accounts)").Scan(&empty)
	}
	if err != nil {
		return false, fmt.Errorf("look for accounts: %w", err)
	}
	return empty, nil
}

// schemaVersion reads the version of the schema in db without changing db.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, empty bool, err error) {
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return 0, false, fmt.Errorf("read the database's schema: %w", err)
	}
	if tables == 0 {
		return 0, true, nil
	}
	err = db.QueryRowContext(ctx, schema.Applied).Scan(&version)
	if err != nil {
		return 0, false, fmt.Errorf("read the database's schema version (is it a Countersign database?): %w", err)
	}
	return version, version == 0, nil
}
