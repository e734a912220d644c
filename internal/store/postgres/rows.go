package postgres

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// ask runs a query and hands each row over: on the pool, in a snapshot, or in a
// transaction (tx.query). It lets one piece of code read in all three.
type ask = registry.Ask

// scopeSQL narrows a transaction to one account for the policies of the tables
// (T-01): a statement that forgot its account would find nothing of another's.
const scopeSQL = "SELECT set_config('countersign.account', $1, true)"

// pooled asks the pool for what belongs to no one account.
func (s *Store) pooled(ctx context.Context) ask { return s.scoped(ctx, 0) }

// scoped asks the pool in one round trip, for one account's rows only.
func (s *Store) scoped(ctx context.Context, accountID int64) ask {
	return func(each func(scanner) error, query string, args ...any) error {
		conn, err := acquire(ctx, s.pool)
		if err != nil {
			return err
		}
		defer conn.Release()
		return s.over(ctx, conn, accountID)(each, query, args...)
	}
}

// over is scoped on a connection that the caller has.
func (s *Store) over(ctx context.Context, conn *pgxpool.Conn, accountID int64) ask {
	return func(each func(scanner) error, query string, args ...any) error {
		// A caller that leaves costs no connection: the read is short.
		bounded, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), readTime, errSlow)
		defer cancel()
		b := &pgx.Batch{}
		if accountID != 0 {
			b.Queue(scopeSQL, strconv.FormatInt(accountID, 10))
		}
		b.Queue(query, sought(args)...).Query(func(rows pgx.Rows) error { return eachRow(rows, each) })
		err := conn.SendBatch(bounded, b).Close()
		if err != nil {
			s.forget(err)
		}
		return err //nolint:wrapcheck // the caller says what it was doing
	}
}

// snapshot lets f read with several queries what was true of the account at
// one moment.
func (s *Store) snapshot(ctx context.Context, accountID int64, f func(ask) error) (err error) {
	conn, err := acquire(ctx, s.pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	bounded, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), readTime, errSlow)
	defer cancel()
	b := &pgx.Batch{}
	b.Queue("begin isolation level repeatable read read only")
	b.Queue(scopeSQL, strconv.FormatInt(accountID, 10))
	if err := conn.SendBatch(bounded, b).Close(); err != nil {
		s.forget(err)
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	defer func() {
		if _, end := conn.Exec(bounded, "commit"); err == nil && end != nil {
			err = end
		}
	}()
	return f(func(each func(scanner) error, query string, args ...any) error {
		rows, err := conn.Query(bounded, query, sought(args)...)
		if err != nil {
			return err //nolint:wrapcheck // as above
		}
		return eachRow(rows, each)
	})
}

// change does f in one transaction that also raises the version under key.
// Raising it first holds off other changes under the key until the commit.
func (s *Store) change(ctx context.Context, key int64, f func(*tx) error) error {
	err := s.write(ctx, func(t *tx) error {
		t.raise(key)
		return f(t)
	})
	if errors.Is(err, registry.ErrUnchanged) {
		return nil
	}
	if err == nil || errors.Is(err, verify.ErrOutcomeUnknown) {
		s.changed(key)
	}
	return err
}
