package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/store/movein"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// MoveIn copies the SQLite database at path into the PostgreSQL database of c,
// which is empty, and quarantines what it copied from. The root key is c's, or
// that of the key file beside the SQLite database. No server may use either.
// What the operator must change is a *RefusalError, which calls the PostgreSQL
// database target.
func MoveIn(ctx context.Context, c config.Config, path, target string, log *slog.Logger) (movein.Report, error) {
	name := "database " + path
	has, err := hasDatabase(path)
	if err != nil {
		return movein.Report{}, err
	}
	if !has {
		return movein.Report{}, &RefusalError{"there is no " + name, "the SQLite file of the deployment that moves", nil}
	}
	beside := c
	beside.DataDir = filepath.Dir(path)
	keys, err := givenKeys(beside)
	if err != nil {
		return movein.Report{}, err
	}
	if keys == nil {
		return movein.Report{}, &RefusalError{"there is no root key", "COUNTERSIGN_SECRET_KEY, or " + keyFile + " beside " + path, nil}
	}
	serving, sole, err := lock(path + ".lock")
	if err != nil {
		return movein.Report{}, &RefusalError{name + " cannot be used", "a directory that can be written to", err}
	}
	if !sole {
		return movein.Report{}, &RefusalError{"a server uses " + name, "no server on it while it moves", nil}
	}
	defer serving.Close()
	opening, err := await(ctx, path+".open") // nor does any command open it meanwhile
	if err != nil && ctx.Err() != nil {
		return movein.Report{}, err
	}
	if err != nil {
		return movein.Report{}, &RefusalError{name + " cannot be used", "a directory that can be written to", err}
	}
	defer opening.Close()
	err = sqlite.Inspect(ctx, path, keys.Known())
	for _, r := range []refusalOf{
		{registry.ErrOtherKey, "the root key that the database was made with, now or in secret_key_previous"},
		{sqlite.ErrOlder, "countersign migrate on it before"},
		{sqlite.ErrNewer, "a database of this version"},
		{sqlite.ErrDamaged, "a whole database"},
		{sqlite.ErrOtherProgram, "a Countersign database"},
	} {
		if errors.Is(err, r.err) {
			return movein.Report{}, &RefusalError{name, r.expected, err}
		}
	}
	if err != nil {
		return movein.Report{}, fmt.Errorf("%s: %w", name, err)
	}
	// The target is looked at as every node does, and set up if it is empty.
	store, err := postgres.Open(ctx, postgres.Config{URL: c.DatabaseURL.Reveal(), Migrate: c.Migrate, Log: log})
	if err != nil {
		return movein.Report{}, refusePostgres(target, err)
	}
	if err := store.Close(); err != nil { //nolint:contextcheck // what was set up is to be kept
		return movein.Report{}, fmt.Errorf("set up the target: %w", err)
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
