package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/movein"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// MoveIn copies the SQLite database at path into the PostgreSQL database of c,
// which is empty, and quarantines what it copied from. The root key is c's, or
// that of the key file beside the SQLite database. No server may use either.
// What the operator must change is a *RefusalError, which calls the PostgreSQL
// database target. After movein.ErrUnknown it has to be called again before a
// server uses either.
func MoveIn(ctx context.Context, c config.Config, path, target string, log *slog.Logger) (movein.Report, error) {
	keys, err := keysBeside(c, path)
	if err != nil {
		return movein.Report{}, err
	}
	path = realFile(path)
	release, err := holdSource(ctx, path)
	if err != nil {
		return movein.Report{}, err
	}
	defer release()
	if err := inspectSource(ctx, path, keys); err != nil {
		return movein.Report{}, err
	}
	if err := setUpTarget(ctx, c, target, log); err != nil {
		return movein.Report{}, err
	}
	report, err := movein.Run(ctx, movein.Config{From: path, To: c.DatabaseURL.Reveal(), Moved: func(t movein.Table) {
		log.InfoContext(ctx, "moved", slog.String("table", t.Name), slog.Int64("rows", t.Rows))
	}})
	switch {
	case errors.Is(err, movein.ErrNotEmpty):
		return report, &RefusalError{"nothing was moved", "an empty PostgreSQL database, which no node uses yet", err}
	case errors.Is(err, movein.ErrSchema):
		return report, &RefusalError{"nothing was moved", "both databases at this version's schema", err}
	case err != nil:
		return report, fmt.Errorf("move: %w", err)
	}
	return report, nil
}

// keysBeside returns the root keys of the SQLite database at path.
func keysBeside(c config.Config, path string) (*secret.Keyring, error) {
	has, err := hasDatabase(path)
	if err != nil {
		return nil, err
	}
	if !has {
		return nil, &RefusalError{"there is no database " + path, "the SQLite file of the deployment that moves", nil}
	}
	c.DataDir = filepath.Dir(path)
	keys, err := givenKeys(c)
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, &RefusalError{"there is no root key", "COUNTERSIGN_SECRET_KEY, or " + keyFile + " beside " + path, nil}
	}
	return keys, nil
}

// holdSource keeps every server and command off the SQLite database at path until
// release.
func holdSource(ctx context.Context, path string) (release func(), err error) {
	serving, sole, err := lock(path + ".lock")
	if err != nil {
		return nil, unusable(path, err)
	}
	if !sole {
		return nil, &RefusalError{"a server uses database " + path, "no server on it while it moves", nil}
	}
	opening, err := await(ctx, path+".open") // nor does any command open it meanwhile
	if err != nil {
		_ = serving.Close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, unusable(path, err)
	}
	return func() {
		_ = opening.Close()
		_ = serving.Close()
	}, nil
}

// unusable says that the locks beside the SQLite database cannot be taken.
func unusable(path string, err error) error {
	return &RefusalError{"database " + path + " cannot be used", "a directory that can be written to", err}
}

// inspectSource refuses what is no whole SQLite database of this version and of
// keys.
func inspectSource(ctx context.Context, path string, keys *secret.Keyring) error {
	name := "database " + path
	err := sqlite.Inspect(ctx, path, keys.Known())
	for _, r := range []refusalOf{
		{registry.ErrOtherKey, "the root key that the database was made with, now or in secret_key_previous"},
		{sqlite.ErrOlder, "countersign migrate on it before"},
		{sqlite.ErrNewer, "a database of this version"},
		{sqlite.ErrDamaged, "a whole database"},
		{sqlite.ErrOtherProgram, "a Countersign database"},
		{fs.ErrPermission, "a database that the user that this runs as may read and write"},
	} {
		if errors.Is(err, r.err) {
			return &RefusalError{name, r.expected, err}
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// setUpTarget looks at the PostgreSQL database as every node does, and sets it up
// if it is empty.
func setUpTarget(ctx context.Context, c config.Config, target string, log *slog.Logger) error {
	store, err := postgres.Open(ctx, postgres.Config{URL: c.DatabaseURL.Reveal(), Migrate: c.Migrate, Log: log})
	if err != nil {
		return refusePostgres(target, err)
	}
	if err := store.Close(); err != nil { //nolint:contextcheck // what was set up is to be kept
		return fmt.Errorf("set up the target: %w", err)
	}
	return nil
}
