package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/store/column"
)

// What is refused at start.
const (
	oldestServer = 14
	maxSkew      = 2 * time.Second // between this machine's clock and the database's
	inspectTime  = 15 * time.Second
	sharingLooks = 3 // at each of two connections, for a pooler between them
)

const serverFacts = `SELECT current_setting('server_version_num')::int / 10000, current_setting('synchronous_commit'),
	current_setting('fsync'), current_setting('bytea_output'),
	current_setting('row_security') = 'off' AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)),
	` + serverSQL

// inspect refuses a server that the store's promises cannot be kept on.
func inspect(ctx context.Context, c *pgxpool.Config, compareClocks bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTime, errSlow)
	defer cancel()
	conn, err := connect(ctx, c.ConnConfig)
	if err != nil {
		return refusal(err)
	}
	defer conn.Close(ctx)
	if err := transactional(ctx, conn); err != nil {
		return err
	}
	var version int
	var synchronous, fsync, bytes string
	var unseen bool
	var us int64
	before := time.Now() //nolint:forbidigo // compared with the database's
	if err := conn.QueryRow(ctx, serverFacts).Scan(&version, &synchronous, &fsync, &bytes, &unseen, &us); err != nil {
		return refusal(err)
	}
	after := time.Now() //nolint:forbidigo // as above
	switch {
	case version < oldestServer: // something in between told another
		return &oldError{version}
	// The others acknowledge before the log is synced, here or on the standby that
	// a failover goes to.
	case synchronous != "on" && synchronous != "remote_apply" || fsync != "on":
		return fmt.Errorf("%w: synchronous_commit is %s, fsync is %s", ErrNotDurable, synchronous, fsync)
	case bytes != "hex" && textual(c.ConnConfig.DefaultQueryExecMode):
		return fmt.Errorf("%w: bytea_output is %s: ALTER ROLE … SET bytea_output = 'hex'", ErrSetting, bytes)
	case unseen: // every look at a table whose rows policies pick would fail
		return fmt.Errorf("%w: row_security is off: ALTER ROLE … SET row_security = on", ErrSetting)
	case compareClocks:
		if err := skew(before, after, column.FromMicros(us)); err != nil {
			return err
		}
	}
	return unshared(ctx, c.ConnConfig, conn)
}

// textual reports whether answers come as text in a mode, where bytea_output says
// how bytes are written and the driver reads one way only. It is asked for rather
// than set at a connection's start, which a pooler would refuse.
func textual(mode pgx.QueryExecMode) bool {
	return mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol
}

// transactional refuses a pooler that lends the server's sessions for a statement
// each: it ends a connection that leaves a transaction open, so the two
// statements are sent apart.
func transactional(ctx context.Context, conn *pgx.Conn) error {
	for _, statement := range [...]string{"BEGIN", "ROLLBACK"} {
		_, err := conn.PgConn().Exec(ctx, statement).ReadAll()
		if stateOf(err) == stateProtocol {
			return poolModeError{}
		}
		if err != nil {
			return refusal(err)
		}
	}
	return nil
}

// poolModeError is ErrPooler of a pooler that lends sessions for a statement each.
type poolModeError struct{}

func (poolModeError) Error() string {
	return "a pooler refuses transactions (PostgreSQL error " + stateProtocol + "): its pool_mode has to be session or transaction, not statement"
}

func (poolModeError) Unwrap() error { return ErrPooler }

// unshared refuses a pooler that lends the server's sessions for a transaction
// each, where statements are prepared under names: a session then has a name of
// another connection's already (42P05), or lacks one of this connection's
// (26000). A pooler that keeps account of names passes.
func unshared(ctx context.Context, c *pgx.ConnConfig, first *pgx.Conn) error {
	if c.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return nil
	}
	second, err := connect(ctx, c)
	if err != nil {
		return refusal(err)
	}
	defer second.Close(ctx)
	for range sharingLooks {
		for _, conn := range []*pgx.Conn{first, second} {
			var one int
			if err := conn.QueryRow(ctx, "SELECT $1::int", 1).Scan(&one); err != nil {
				return refusal(err)
			}
		}
	}
	return nil
}

// connect makes a connection to learn whether the server will do.
func connect(ctx context.Context, c *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, c.Copy())
	if stateOf(err) != stateUnknown {
		return conn, err //nolint:wrapcheck // refusal says what it was doing
	}
	// A server may be too old to know the parameters, and tells its version to
	// those who ask for none.
	plain := c.Copy()
	clear(plain.RuntimeParams)
	conn, plainErr := pgx.ConnectConfig(ctx, plain)
	if plainErr == nil {
		_ = conn.Close(ctx)
	}
	if errors.Is(plainErr, ErrTooOld) {
		err = plainErr
	}
	return nil, err
}

// refusal says why a server could not be asked.
func refusal(err error) error {
	if old, ok := errors.AsType[*oldError](err); ok {
		return old
	}
	clean := safe(err)
	if errors.Is(clean, ErrPooler) {
		return fmt.Errorf("look at the server: %w", clean)
	}
	if stateOf(clean) == stateNoRights {
		return fmt.Errorf("%w: it must be allowed to connect to its database: %w", ErrRights, clean)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, clean)
}

// oldError is ErrTooOld with the server's major version.
type oldError struct{ major int }

func (e *oldError) Error() string { return fmt.Sprintf("%v: this is version %d", ErrTooOld, e.major) }

func (e *oldError) Unwrap() error { return ErrTooOld }

// newEnough refuses a version such as "13.9 (Debian 13.9-1)". One that cannot
// be read is left to inspect.
func newEnough(version string) error {
	digits := version[:len(version)-len(strings.TrimLeft(version, "0123456789"))]
	if major, err := strconv.Atoi(digits); err == nil && major < oldestServer {
		return &oldError{major}
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
		side := "ahead"
		if off < 0 {
			side = "behind"
		}
		return fmt.Errorf("%w: the database is %s %s", ErrClockSkew, off.Abs().Round(time.Millisecond), side)
	}
	return nil
}
