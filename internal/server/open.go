package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// Options are what a deployment is opened with besides its settings. The zero
// value works.
type Options struct {
	Wall     func() time.Time // in place of SQLite's time.Now or PostgreSQL's clock; nil for these
	Observer Observer         // of commits; nil for none
	// Fatal is called when the disk failed to sync; the process must end
	// (D-07). Nil for a panic.
	Fatal func(error)
	// Existing refuses an SQLite database that is not there, instead of making it:
	// so that a wrong path is seen.
	Existing bool
	// Beside says that a server may be running on the same SQLite database.
	Beside bool
}

// now is the time without a database.
func (o Options) now() time.Time {
	if o.Wall != nil {
		return o.Wall()
	}
	return time.Now() //nolint:forbidigo // there is no database to ask
}

// Deployment is an open database with the keys that belong to it.
type Deployment struct {
	Config config.Config
	Keys   *secret.Keyring
	Store  Store
	Log    *slog.Logger

	indexLost bool // the root key that recipients are indexed with is not listed
}

// Open opens the deployment that c describes, making it if it does not exist.
// What the operator must change is a *RefusalError. Close it when done.
func Open(ctx context.Context, c config.Config, log *slog.Logger, o Options) (*Deployment, error) {
	if c.Postgres() {
		return openPostgres(ctx, c, log, o)
	}
	return openSQLite(ctx, c, log, o)
}

func openSQLite(ctx context.Context, c config.Config, log *slog.Logger, o Options) (*Deployment, error) {
	if o.Existing {
		has, err := hasDatabase(c.DatabasePath)
		if err != nil {
			return nil, err
		}
		if !has {
			return nil, &RefusalError{"there is no database " + c.DatabasePath, "the data directory or database of a deployment; serve, migrate and account create make one", nil}
		}
	}
	c, err := prepare(ctx, c, log)
	if err != nil {
		return nil, sourced(err, c, placed(c)...)
	}
	if err := checkDatabase(ctx, c.DatabasePath, log); err != nil {
		return nil, err
	}
	// One process at a time makes a database or brings its schema up. Where that
	// is not possible no key is left behind.
	opening, err := await(ctx, c.DatabasePath+".open")
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, &RefusalError{"database " + c.DatabasePath + " cannot be opened", "a directory that can be written to", err}
	}
	defer opening.Close()
	root, err := rootKey(c)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{
		Path: c.DatabasePath, Migrate: c.Migrate, Beside: o.Beside, Wall: o.Wall, Log: log, Observer: o.Observer, Fatal: o.Fatal,
	})
	switch {
	case errors.Is(err, sqlite.ErrNewer):
		return nil, &RefusalError{"database " + c.DatabasePath, "a database of this version or an older one", err}
	case errors.Is(err, sqlite.ErrOlder):
		return nil, &RefusalError{"database " + c.DatabasePath, "COUNTERSIGN_MIGRATE=true, or countersign migrate before", err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &RefusalError{"database " + c.DatabasePath + " cannot be opened", "a database that the user that this runs as may read and write", err}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return nil, &RefusalError{"database " + c.DatabasePath + " cannot be opened", "a higher limit of open files", err}
	case errors.Is(err, sqlite.ErrDisk): // no setting is wrong: it may have room the next time
		return nil, fmt.Errorf("database %s cannot be opened: %w; expected room on the disk, and below the limit of file sizes", c.DatabasePath, err)
	case err != nil:
		return nil, &RefusalError{"database " + c.DatabasePath + " cannot be opened", "a Countersign database or none", err}
	}
	return deployed(ctx, c, log, root, store, "database "+c.DatabasePath)
}

// deployed gives a store its keys. name names the database in refusals.
func deployed(ctx context.Context, c config.Config, log *slog.Logger, root secret.Root, store Store, name string) (*Deployment, error) {
	keys, err := secret.NewKeyring(root, c.SecretKeys...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("derive keys: %w", err), store.Close())
	}
	d := &Deployment{Config: c, Keys: keys, Store: guarded{store}, Log: log}
	err = store.BindKeys(ctx, keys.Current(), keys.IndexKey(), keys.Known())
	if d.indexLost = errors.Is(err, registry.ErrIndexKey); d.indexLost { // no reason to refuse: a key that leaked has to go some day
		log.WarnContext(ctx, "recipients were indexed with a root key that is not listed: limits begin anew, and nobody from before is found",
			slog.String("expected", expectIndexKey))
		err = nil
	}
	if err != nil {
		err = errors.Join(err, closeWithin(ctx, store.Close, closeBound, log))
		if refused := refuseKeys(name, err); refused != nil {
			return nil, refused
		}
		if errors.Is(err, postgres.ErrRights) { // what is read may be all that the role may read
			return nil, refusePostgres(name, err)
		}
		return nil, fmt.Errorf("open database: %w", err)
	}
	return d, nil
}

// Close closes the database.
func (d *Deployment) Close() error {
	return d.Store.Close() //nolint:wrapcheck // says what it was doing
}
