package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// maxTries is how often a transaction is tried that the server undoes because
// of another one.
const maxTries = 5

var (
	// errSlow is why a look at the database ended.
	errSlow = errors.New("the database took too long to answer")
	// errClosing refuses what comes after Close.
	errClosing = fmt.Errorf("database is closing: %w", verify.ErrUnavailable)
)

// scanner is a row to read.
type scanner = registry.Row

// tx is an open transaction as one caller's work sees it.
type tx struct {
	store *Store
	conn  *pgx.Conn
	later *pgx.Batch // statements to send before the next read, or with the commit
	now   time.Time  // read when the transaction began, or after the last lock

	configs map[configsOf][]string // callback configurations looked up in this transaction
	facts   map[factKey]int64      // what its events count for
}

// isNetwork reports whether the connection failed.
func isNetwork(err error) bool {
	_, isNet := errors.AsType[net.Error](err)
	_, isOp := errors.AsType[*net.OpError](err)
	return isNet || isOp || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// acquire takes a connection from a pool. It waits at most acquireTime for one
// that others use, and for one that is being made at most as long as that may
// take.
func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Cause(ctx))
	}
	bounded, cancel := context.WithTimeoutCause(ctx, acquireTime, errPoolFull)
	defer cancel()
	conn, err := pool.Acquire(bounded)
	full := func() bool { return pool.Stat().AcquiredConns() >= pool.Config().MaxConns }
	if err != nil && ctx.Err() == nil && bounded.Err() != nil && !full() {
		making, cancel := context.WithTimeoutCause(ctx, max(0, pool.Config().ConnConfig.ConnectTimeout-acquireTime), errSlow)
		defer cancel()
		conn, err = pool.Acquire(making)
	}
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Cause(ctx))
	case bounded.Err() != nil && full():
		return nil, fmt.Errorf("%w: %w", verify.ErrOverloaded, errPoolFull)
	}
	return nil, fmt.Errorf("connect to the database: %w: %w", verify.ErrUnavailable, safe(err))
}

// write does f in a transaction and returns when it is durable. f may run more
// than once, so it assigns its results anew each time. If f returns an error,
// nothing that it wrote is kept.
//
// If ctx ends before f was begun, f is never run. Once begun, the work goes on
// and write returns verify.ErrOutcomeUnknown (V-07): after an error the caller
// must not look at what f assigns, for f may be running.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	conn, err := acquire(ctx, s.pool)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	if !s.running.Go(func() {
		defer conn.Release()
		done <- s.transaction(conn.Conn(), f)
	}) {
		conn.Release()
		return errClosing
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	default:
		return fmt.Errorf("%w: %w", verify.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// transaction runs f until the server does not undo it because of another
// transaction.
func (s *Store) transaction(conn *pgx.Conn, f func(*tx) error) error {
	for try := 1; ; try++ {
		start := time.Now() //nolint:forbidigo // how long a commit took
		err := s.attempt(conn, f)
		if err == nil {
			s.committed(1, start)
			return nil
		}
		if !again(err) || try == maxTries {
			return err
		}
	}
}

func (s *Store) attempt(conn *pgx.Conn, f func(*tx) error) error {
	ctx := context.Background() // no request's end cancels a commit (V-07)
	t := &tx{store: s, conn: conn, later: &pgx.Batch{}}
	t.later.Queue("begin")
	if err := t.readClock(); err != nil {
		s.forget(err)
		return failure("begin", err, unsent)
	}
	if err := t.run(f); err != nil {
		if conn.PgConn().TxStatus() != 'I' && !conn.IsClosed() {
			_, _ = conn.Exec(ctx, "rollback") // a connection that fails here is thrown away
		}
		s.forget(err)
		if _, fromServer := errors.AsType[*serverError](safe(err)); fromServer || broken(err) {
			return failure("write", err, unsent)
		}
		return err
	}
	t.putFacts()
	t.later.Queue("commit").Exec(committed)
	all := t.later.Len()
	answered, err := exchange(conn, t.later)
	s.forget(err)
	if answered == all { // an error after that is of the session, not of the commit
		return replicated(conn)
	}
	if conn.PgConn().TxStatus() != 'I' && !conn.IsClosed() {
		_, _ = conn.Exec(ctx, "rollback")
	}
	if answered == all-1 {
		return failure("commit", err, reached)
	}
	return failure("commit", err, asked)
}

// committed is the answer to a commit: a transaction that had failed before is
// undone without an error.
func committed(tag pgconn.CommandTag) error {
	if tag.String() != "COMMIT" {
		return errUndone
	}
	return nil
}

// forget closes idle connections after one broke or was ended by the server:
// they are likely to be of no use either. It is for an error of a connection that
// was in use: after one of waiting for a connection it would throw away those that
// are being made, for ever where that takes longer than anyone waits.
func (s *Store) forget(err error) {
	said, isSaid := errors.AsType[*serverError](safe(err))
	if broken(err) || isSaid && said.fatal {
		s.pool.Reset()
		s.groups.Reset()
	}
}

// run does one caller's work; a panic in it is that caller's error.
func (t *tx) run(do func(*tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	return do(t)
}

// readClock sends what waits and sets now. Called after a lock, it makes now a
// time at which the lock was held (V-03).
func (t *tx) readClock() error {
	wall, floor := t.store.clock.args()
	var us int64
	t.later.Queue("SELECT "+nowSQL, wall, floor).QueryRow(func(row pgx.Row) error { return row.Scan(&us) })
	if err := t.flush(); err != nil {
		return err
	}
	t.now = column.FromMicros(us)
	t.store.clock.observe(us)
	return nil
}

// only narrows the transaction to one account's rows (T-01).
func (t *tx) only(accountID int64) { t.put(scopeSQL, strconv.FormatInt(accountID, 10)) }

// put queues a statement; it is sent before the next read or with the commit.
func (t *tx) put(query string, args ...any) { t.later.Queue(query, args...) }

// flush sends what put queued.
func (t *tx) flush() error {
	if t.later.Len() == 0 {
		return nil
	}
	b := t.later
	t.later = &pgx.Batch{}
	return t.conn.SendBatch(context.Background(), b).Close() //nolint:wrapcheck // the caller says what it was doing
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.flush(); err != nil {
		return 0, err
	}
	tag, err := t.conn.Exec(context.Background(), query, args...)
	return tag.RowsAffected(), err
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// row runs a query for at most one row; Scan returns pgx.ErrNoRows for none.
func (t *tx) row(query string, args ...any) scanner {
	if err := t.flush(); err != nil {
		return failedRow{err}
	}
	return t.conn.QueryRow(context.Background(), query, args...)
}

// query is an ask of the transaction.
func (t *tx) query(each func(scanner) error, query string, args ...any) error {
	if err := t.flush(); err != nil {
		return err
	}
	rows, err := t.conn.Query(context.Background(), query, args...)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	return eachRow(rows, each)
}

func eachRow(rows pgx.Rows, each func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err() //nolint:wrapcheck // the caller says what it was doing
}
