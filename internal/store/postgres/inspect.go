package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What is refused at start.
const (
	oldestServer = 140000          // server_version_num
	maxSkew      = 2 * time.Second // between this machine's clock and the database's
	inspectTime  = 15 * time.Second
)

const serverFacts = `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
	current_setting('fsync'), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// inspect refuses a server that the store's promises cannot be kept on.
func inspect(ctx context.Context, c *pgxpool.Config, compareClocks bool) error {
	ctx, cancel := context.WithTimeout(ctx, inspectTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c.ConnConfig.Copy())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, safe(err))
	}
	defer conn.Close(ctx)
	var version int
	var synchronous, fsync string
	var us int64
	before := time.Now() //nolint:forbidigo // compared with the database's
	if err := conn.QueryRow(ctx, serverFacts).Scan(&version, &synchronous, &fsync, &us); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, safe(err))
	}
	after := time.Now() //nolint:forbidigo // as above
	switch {
	case version < oldestServer:
		return fmt.Errorf("%w: this is version %d", ErrTooOld, version/10000)
	case synchronous == "off" || fsync == "off":
		return ErrNotDurable
	case compareClocks:
		return skew(before, after, fromMicros(us))
	}
	return nil
}

// skew compares the database's time with this machine's before and after it
// was asked for.
func skew(before, after, database time.Time) error {
	off := time.Duration(0)
	switch {
	case database.Before(before):
		off = database.Sub(before)
	case database.After(after):
		off = database.Sub(after)
	}
	if off.Abs() > maxSkew {
		return fmt.Errorf("%w: the database is %s ahead", ErrClockSkew, off.Round(time.Millisecond))
	}
	return nil
}
