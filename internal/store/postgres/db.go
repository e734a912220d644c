// Package postgres keeps everything in one PostgreSQL database (14 or later)
// that any number of nodes share. Sends and checks of many callers go into one
// statement and one commit; everything else is a short transaction. No node
// leads: work is claimed with locks that the others pass over.
package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/schema"
	"github.com/countersign/countersign/internal/store/underway"
	"github.com/countersign/countersign/internal/store/version"
	"github.com/countersign/countersign/internal/verify"
)

// Config is what a Store is opened with. The zero value of every field but URL
// works.
type Config struct {
	// URL is postgres://…, with libpq's parameters (sslmode, several hosts,
	// search_path, …) and pgx's (pool_max_conns, default_query_exec_mode, …).
	URL string
	// Migrate brings an older schema up; without it such a database is refused.
	// An empty database is always set up.
	Migrate bool
	// Wall replaces the database's clock, for tests; nil uses the database's.
	Wall func() time.Time
	// Log is told of what operators should know, slog.Default if nil.
	Log *slog.Logger
	// Observer counts commits; nil for none.
	Observer Observer
}

// Observer is told of group commits.
type Observer interface {
	// Committed tells how many callers' work one commit carried and how long
	// the whole group took.
	Committed(callers int, took time.Duration)
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	*registry.Registry
	verify.Hider // of what is told of deliveries

	log      *slog.Logger
	observer Observer
	clock    *nodeClock
	pool     *pgxpool.Pool // reads and short transactions
	groups   *pgxpool.Pool // group commits: no read can keep a check waiting
	sends    *lanes[*send]
	checks   *lanes[*check]
	inputs   atomic.Pointer[inputTypes] // of groups

	versions *version.Cache
	// countries are those of recipients.
	countries phone.Countries
	// stepRules limit fallback steps; nil limits none.
	stepRules atomic.Pointer[guard.Rules]

	stop       context.CancelFunc
	background underway.Group // the keeper of the clock
	running    underway.Group // transactions whose callers may have left
}

// Open connects to the database at c.URL and brings its schema to this
// version's, or says what is wrong with it: ErrURL, ErrUnreachable, ErrTooOld,
// ErrNotDurable, ErrPooler, ErrSetting, ErrRights, ErrClockSkew, ErrNewer, ErrOlder.
// Close it when done.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	settings, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	settings.primaries.look(ctx, &settings.main.ConnConfig.Config, c.Log)
	if err := inspect(ctx, settings.main, c.Wall == nil); err != nil {
		return nil, err
	}
	if err := prepareSchema(ctx, settings.main, c.Migrate); err != nil {
		return nil, err
	}
	s := &Store{log: c.Log, observer: c.Observer}
	s.versions = s.newVersions()
	s.Registry = registry.New(database{s}, "seq")
	settings.primaries.onSuccession(s.ForgetAccounts)
	defer func() {
		if err != nil {
			s.closePools()
		}
	}()
	if s.pool, err = pgxpool.NewWithConfig(ctx, settings.main); err != nil {
		return nil, fmt.Errorf("open database: %w", safe(err))
	}
	s.numberInputs(settings.groups)
	if s.groups, err = pgxpool.NewWithConfig(ctx, settings.groups); err != nil {
		return nil, fmt.Errorf("open database: %w", safe(err))
	}
	// Its first connection may take what connect_timeout gives it, and not only
	// as long as callers wait for a free one.
	if err := s.pool.Ping(ctx); err != nil {
		return nil, readError("connect to the database", err)
	}
	if err := checkRights(ctx, s.pool); err != nil {
		return nil, err
	}
	s.clock = newNodeClock(c.Wall)
	if err := s.startClock(ctx); err != nil {
		return nil, err
	}
	bg, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.background.Go(func() { s.keepClock(bg) })
	s.background.Go(func() { settings.primaries.watch(bg, &settings.main.ConnConfig.Config, s.log) })
	s.background.Go(func() { s.foldFigures(bg) })
	s.checks = newLanes(sameChecks, s.flushChecks)
	s.sends = newLanes(sameSends, s.flushSends)
	return s, nil
}

// Close waits for work under way and closes the connections.
func (s *Store) Close() error {
	s.stop()
	s.background.Close()
	s.clock.mark.Leave(s.raiseMark, s.log)
	s.checks.close()
	s.sends.close()
	s.running.Close()
	s.closePools()
	return nil
}

func (s *Store) closePools() {
	for _, p := range []*pgxpool.Pool{s.pool, s.groups} {
		if p != nil {
			p.Close()
		}
	}
}

// Now is the store's time: the database's, as far as this node can tell
// without asking it (V-10).
func (s *Store) Now() time.Time { return s.clock.estimate() }

// Ping reports whether the database answers and this version runs on its schema:
// ErrOlder or ErrNewer if not. It returns when ctx ends.
func (s *Store) Ping(ctx context.Context) error {
	answer := make(chan error, 1)
	if !s.running.Go(func() { answer <- s.ping(ctx) }) {
		return errClosing
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done(): // the read goes on: breaking it off would cost its connection
		return fmt.Errorf("ask the database: %w: %w", verify.ErrUnavailable, context.Cause(ctx))
	}
}

func (s *Store) ping(ctx context.Context) error {
	known, err := schema.Newest(migrations)
	if err != nil {
		return err
	}
	type state struct{ have, oldest int64 }
	is, _, err := registry.First(s.pooled(ctx), func(row scanner) (is state, err error) {
		err = row.Scan(&is.have, &is.oldest)
		return is, err
	}, schema.Select)
	if err != nil {
		return readError("ask the database", err)
	}
	return schema.RunsOn(is.have, known, is.oldest)
}

// committed tells the observer of a group.
func (s *Store) committed(callers int, since time.Time) {
	if s.observer != nil {
		s.observer.Committed(callers, time.Since(since))
	}
}
