// Package schema says on which schemas of a database a version of the server
// runs. Both stores keep their migrations' numbers as goose does.
package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/pressly/goose/v3"
)

var (
	// ErrNewer is returned where the schema is newer than this version knows.
	ErrNewer = errors.New("the database has a newer schema than this version knows")
	// ErrOlder is returned where the schema is older and may not be brought up.
	ErrOlder = errors.New("the database has an older schema: run the migrate command")
)

// Rows of the table meta by which a migration says which older versions still
// run on its schema (D-11): those that know the schema OldestReader. It holds for
// the schema SaidBy only, so that a later migration that says nothing is one that
// no older version runs on.
const (
	OldestReader = "oldest_schema_that_may_run"
	SaidBy       = "schema_that_says_so"
)

// Applied reads the number of the last migration that was made.
const Applied = "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied"

// Select reads the schema and the least that may run on it, as RunsOn asks for
// them.
const Select = "SELECT (" + Applied + `),
	coalesce((SELECT o.value FROM meta o, meta s WHERE o.name = '` + OldestReader + `'
		AND s.name = '` + SaidBy + `' AND s.value = (` + Applied + `)), 9223372036854775807)`

// Pending reports whether a database of the schema have is to be brought up to
// known, which it may be or not. It returns ErrNewer or ErrOlder where this
// version runs on neither.
func Pending(ctx context.Context, db *sql.DB, have, known int64, may bool) (bool, error) {
	oldest := int64(math.MaxInt64)
	if have > known {
		if err := db.QueryRowContext(ctx, Select).Scan(&have, &oldest); err != nil {
			oldest = math.MaxInt64
		}
	}
	err := RunsOn(have, known, oldest)
	if errors.Is(err, ErrOlder) && may {
		return true, nil
	}
	return false, err
}

// RunsOn returns ErrNewer or ErrOlder if this version, which knows the schema
// known, does not run on the schema have. A newer schema may say that this
// version can still run on it: oldest is the least that can.
func RunsOn(have, known, oldest int64) error {
	switch {
	case have < known:
		return fmt.Errorf("schema %d, needed is %d: %w", have, known, ErrOlder)
	case have > known && oldest > known:
		return fmt.Errorf("schema %d, known is %d: %w", have, known, ErrNewer)
	}
	return nil
}

// Newest is the number of the last of the migrations, files
// migrations/NUMBER_name.sql.
func Newest(migrations fs.FS) (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	v, err := goose.NumericComponent(names[len(names)-1]) // Glob sorts
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	return v, nil
}
