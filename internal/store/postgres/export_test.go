package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Transient is transient.
var Transient = transient

// Skew compares clocks as Open does.
var Skew = skew

// Hot are the statements of group commits, and those of transactions that have
// the same settings by byKeys, by name.
func Hot() map[string]string {
	return map[string]string{
		"createOTPs": createOTPs, "lockChecked": lockChecked, "countAttempts": countAttempts,
		"lockDeliveries": lockDeliveries, "selectDeliveries": selectDeliveries, "leaseDeliveries": leaseDeliveries,
	}
}

// GroupSettings are what group commits set for their connections.
func GroupSettings(url string) (map[string]string, error) {
	s, err := parse(url)
	if err != nil {
		return nil, err
	}
	return s.groups.ConnConfig.RuntimeParams, nil
}

// Told is what a group's statement reads of a check_input array with a value for
// each text, as origin and as guesses; empty is what it reads of one without any.
func (s *Store) Told(ctx context.Context, all []string) (origins, guesses []string, empty int, err error) {
	conn, err := s.groups.Acquire(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	defer conn.Release()
	in := newInput(s.inputs.Load().check)
	for i, text := range all {
		in.row()
		in.int4(i - 1)
		in.int8(int64(i) - 1)
		in.bytes(nil)
		in.string(text)
		in.int4(-i)
		in.bytes([]byte(text))
	}
	rows, err := conn.Query(ctx, `SELECT i.origin, i.guesses FROM unnest($1::check_input[]) i
		WHERE i.id IS NULL AND i.account_id = i.n AND i.typed = -1 - i.n ORDER BY i.n`, in.argument())
	if err != nil {
		return nil, nil, 0, err
	}
	err = eachRow(rows, func(row scanner) error {
		var origin string
		var guess []byte
		err := row.Scan(&origin, &guess)
		origins, guesses = append(origins, origin), append(guesses, string(guess))
		return err
	})
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT cardinality($1::check_input[])", newInput(s.inputs.Load().check).argument()).Scan(&empty)
	}
	return origins, guesses, empty, err
}

// piece is work without anything to write.
type piece struct{ work }

// Lanes are lanes whose groups do nothing but flush.
func Lanes(flush func()) (submit func(context.Context) error, closeAll func()) {
	l := newLanes(func(_, _ *piece) bool { return true }, func([]*piece) []*piece { flush(); return nil })
	return func(ctx context.Context) error { return l.submit(ctx, &piece{work{key: "one"}}) }, l.close
}

// ConnectGroupsBy makes group commits wait for before whenever they need another
// connection, and drops the connections that they have. connections tells how many
// there are and how many of these are idle.
func (s *Store) ConnectGroupsBy(before func(context.Context) error) (connections func() (all, idle int32), err error) {
	c := s.groups.Config()
	c.BeforeConnect = func(ctx context.Context, _ *pgx.ConnConfig) error { return before(ctx) }
	s.groups.Close()
	if s.groups, err = pgxpool.NewWithConfig(context.Background(), c); err != nil {
		return nil, err
	}
	return func() (all, idle int32) {
		stat := s.groups.Stat()
		return stat.TotalConns(), stat.IdleConns()
	}, nil
}

// Write does f in a transaction of the store.
func (s *Store) Write(ctx context.Context, f func(*pgx.Conn) error) error {
	return s.write(ctx, func(t *tx) error { return f(t.conn) })
}

// Failures are what becomes of a server's last word to a session, by how far its
// commit had come.
func Failures(code string) (unasked, wasAsked, wasReached error) {
	last := &pgconn.PgError{Severity: "FATAL", Code: code}
	return failure("x", last, unsent), failure("x", last, asked), failure("x", last, reached)
}
