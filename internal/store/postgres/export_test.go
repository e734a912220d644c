package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
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

// Texts is a check_input array with a value for each text, as origin and as
// guesses.
func Texts(all []string) string {
	var in input
	for i, s := range all {
		in.row()
		in.int(int64(i))
		in.int(1)
		in.bytes(nil)
		in.string(s)
		in.int(0)
		in.bytes([]byte(s))
	}
	return in.String()
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
