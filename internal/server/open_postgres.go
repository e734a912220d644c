package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// expectations are what would be right, by what PostgreSQL's store refuses.
func expectations() []refusalOf {
	return []refusalOf{
		{postgres.ErrPooler, "pool_mode = session, or transaction with default_query_exec_mode=cache_describe in the URL, or the server's own address"},
		{postgres.ErrURL, "postgres://USER@HOST/DATABASE, with libpq's parameters"},
		{postgres.ErrUnreachable, "a server that answers at that address, takes writes and lets this role in"},
		{postgres.ErrTooOld, "PostgreSQL 14 or later"},
		{postgres.ErrNotDurable, "synchronous_commit on or remote_apply, and fsync on, for the server and for this role"},
		{postgres.ErrRights, "a role that owns its tables, may create them in a schema that exists, or was granted what is missing"},
		{postgres.ErrSetting, "settings of the role and the database that leave the server its own, or none: ALTER ROLE … RESET, ALTER DATABASE … RESET"},
		{postgres.ErrClockSkew, "clocks within 2 s of each other: let both machines follow a time server"},
		{postgres.ErrNewer, "a database of this version or an older one"},
		{postgres.ErrOlder, "countersign migrate before, or COUNTERSIGN_MIGRATE=true"},
	}
}

// refusalOf says what was expected where err is refused.
type refusalOf struct {
	err      error
	expected string
}

// openPostgres opens a deployment that keeps everything in PostgreSQL: this
// machine's disk is not used, and no node knows of the others.
func openPostgres(ctx context.Context, c config.Config, log *slog.Logger, o Options) (*Deployment, error) {
	store, err := postgres.Open(ctx, postgres.Config{
		URL: c.DatabaseURL.Reveal(), Migrate: c.Migrate, Wall: o.Wall, Log: log, Observer: o.Observer,
	})
	if err != nil {
		return nil, refusePostgres(NameDatabase(c), err)
	}
	return deployed(ctx, c, log, c.SecretKey, store, NameDatabase(c))
}

// refusePostgres says what was expected of the database of that name.
func refusePostgres(name string, err error) error {
	for _, r := range expectations() {
		if errors.Is(err, r.err) {
			return &RefusalError{name, r.expected, err}
		}
	}
	// It answered a moment ago, so there is nothing to change.
	if errors.Is(err, verify.ErrUnavailable) || errors.Is(err, context.Canceled) {
		return err
	}
	return &RefusalError{name + " cannot be opened", "a Countersign database or an empty one", err}
}
