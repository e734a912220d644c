// Package testdb gives the tests of what stands on a store a real one: an
// SQLite file of their own, or a PostgreSQL database. Both runs a package's
// tests over the one and then over the other, so that each test is written
// once:
//
//	func TestMain(m *testing.M) { os.Exit(testdb.Both(m).Run()) }
package testdb

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/upkeep"
	"github.com/countersign/countersign/internal/verify"
)

// Store is either store, with what tests ask of one.
type Store interface {
	verify.Store
	delivery.Store
	callback.Store
	callback.DeskStore
	callback.CommandStore
	catalog.Store
	account.Store
	audit.Store
	sandbox.MessageStore
	sandbox.TemplateStore

	OTPRecord(ctx context.Context, account, id string) (report.Record, error)
	Now() time.Time
	LimitSteps(rules guard.Rules)
	ClearLimits(ctx context.Context, account string, recipientKey [16]byte) (bool, error)
	EraseRecipient(ctx context.Context, keys map[string][16]byte) (int, error)
	ExpireOTPs(ctx context.Context) (int, error)
	Purge(ctx context.Context, keep upkeep.Retention) (int, error)
	Close() error
}

// overPostgres says which run of Both is under way. It changes between runs
// only.
var overPostgres atomic.Bool //nolint:gochecknoglobals // a test binary has one run at a time

// Postgres reports whether the tests run over PostgreSQL now.
func Postgres() bool { return overPostgres.Load() }

// Runner is what runs a package's tests: *testing.M.
type Runner interface{ Run() int }

// Both returns a Runner that runs m's tests over SQLite and, if they pass,
// over PostgreSQL. The tests named in once choose their database themselves, or
// need none: they are left out of the second run.
func Both(m Runner, once ...string) Runner { return both{m, once} }

type both struct {
	m    Runner
	once []string
}

// skipFlag is go test's own.
const skipFlag = "test.skip"

// skipOnce leaves out what has run once.
func (b both) skipOnce() error {
	patterns := make([]string, 0, len(b.once)+1)
	for _, name := range b.once {
		patterns = append(patterns, "^"+name+"$")
	}
	if f := flag.Lookup(skipFlag); f != nil && f.Value.String() != "" {
		patterns = append(patterns, f.Value.String())
	}
	if err := flag.Set(skipFlag, strings.Join(patterns, "|")); err != nil {
		return fmt.Errorf("leave tests out: %w", err)
	}
	return nil
}

// Run implements Runner.
func (b both) Run() int {
	if code := b.m.Run(); code != 0 {
		return code
	}
	if err := b.skipOnce(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	overPostgres.Store(true)
	code := b.m.Run()
	if code != 0 {
		fmt.Fprintln(os.Stderr, "the tests above ran over PostgreSQL")
	}
	if err := pgtest.End(); err != nil {
		fmt.Fprintln(os.Stderr, "end PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}

// Database is one that is made and empty. It outlives the stores opened on it
// and ends with the test.
type Database struct {
	path string // of the SQLite file
	url  string // of the PostgreSQL database, if not ""
}

// New makes a database of the kind that is tested now.
func New(t testing.TB) Database {
	t.Helper()
	if Postgres() {
		return Database{url: pgtest.Ready(t)}
	}
	return Database{path: Blank(t)}
}

// URL names the database as the setting database_url does.
func (d Database) URL() string {
	if d.url != "" {
		return d.url
	}
	return "sqlite:" + d.path
}

// Open opens the database. The caller closes the store. A nil wall leaves the
// time to the clock of the database; a nil log discards.
func (d Database) Open(t testing.TB, wall func() time.Time, log *slog.Logger) Store {
	t.Helper()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if d.url != "" {
		s, err := postgres.Open(t.Context(), postgres.Config{URL: d.url, Wall: wall, Log: log})
		if err != nil {
			t.Fatalf("open the PostgreSQL store: %v", err)
		}
		return s
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: d.path, Migrate: true, Wall: wall, Log: log})
	if err != nil {
		t.Fatalf("open the SQLite store: %v", err)
	}
	return s
}

// Open opens a new database, which is closed with the test.
func Open(t testing.TB, wall func() time.Time, log *slog.Logger) Store {
	t.Helper()
	s := New(t).Open(t, wall, log)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}
