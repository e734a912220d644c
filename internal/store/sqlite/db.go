// Package sqlite keeps everything in one SQLite file: WAL, synchronous=FULL,
// one writer that commits many callers' transactions together, and a pool of
// readers. It is the embedded default; a deployment that outgrows one machine
// moves to another store with the same promises.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sqlite3 "modernc.org/sqlite"
	engine "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/countersign/countersign/internal/clock"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/highwater"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/schema"
	"github.com/countersign/countersign/internal/store/sqlite/vfs"
	"github.com/countersign/countersign/internal/store/underway"
	"github.com/countersign/countersign/internal/store/version"
	"github.com/countersign/countersign/internal/verify"
)

// Bounds of the store.
const (
	busyTimeout = 5 * time.Second // for another process's write, such as a command's
	readers     = 4               // pooled read connections
	readerCache = 2 << 10         // KiB of page cache a reader
	writerCache = 16 << 10        // KiB of page cache of the writer
	// journalLimit is how many bytes the WAL's file is cut to when it starts over:
	// more than checkpointFrom pages, so that it is mostly not cut. It is no bound.
	// The WAL starts over once all of it is home and no reader looks into it; until
	// then it grows by all that is written. Beside one long read, or many that
	// overlap, a purge of a million OTPs made it 586 MiB.
	journalLimit = 192 << 20
)

// Config is what a Store is opened with. The zero value of every field but
// Path works.
type Config struct {
	// Path is the database file; its directory exists.
	Path string
	// Migrate brings an older schema up; without it such a database is refused.
	// An empty database is always set up.
	Migrate bool
	// Beside says that another process may serve the database: the log is then that
	// one's to move home, which holds up whoever writes meanwhile.
	Beside bool
	// Wall is the wall clock, time.Now if nil.
	Wall func() time.Time
	// Log is told of what operators should know, slog.Default if nil.
	Log *slog.Logger
	// Observer counts commits; nil for none.
	Observer Observer
	// Fatal is called once when the disk failed to sync: what was written
	// since is in doubt and the process must end (D-07). Nil for a panic.
	Fatal func(error)
}

// complete is c with what follows from zero values.
func (c Config) complete() Config {
	if c.Wall == nil {
		c.Wall = time.Now //nolint:forbidigo // the default; tests pass theirs
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) { panic(err) }
	}
	return c
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

	path   string
	beside bool // Config.Beside
	log    *slog.Logger
	clock  *clock.Clock
	read   *sql.DB
	upkeep *sql.DB // one connection, for migrations and checkpoints
	writer *writer
	walks  chan struct{} // the places of lists and searches under way
	fatal  func(error)

	versions *version.Cache
	plans    planCache
	// countries are those of recipients.
	countries phone.Countries
	// stepRules limit fallback steps; nil limits none.
	stepRules atomic.Pointer[guard.Rules]

	highWater *highwater.Mark

	background underway.Group
	stop       context.CancelFunc
}

// Errors of opening.
var (
	// ErrNewer: the schema is newer than this version knows.
	ErrNewer = schema.ErrNewer
	// ErrOlder: the schema is older and Config.Migrate is false.
	ErrOlder = schema.ErrOlder
)

// writerPragmas are those of connections that write. What was deleted is
// overwritten, also in pages that become free (P-05): only sweeps and erasures
// write more for it.
var writerPragmas = []string{
	"journal_mode(WAL)", "wal_autocheckpoint(0)", "journal_size_limit(" + strconv.Itoa(journalLimit) + ")", "secure_delete(ON)",
}

// pragmas are what every connection is set to, and more.
func pragmas(cacheKiB int, more ...string) []string {
	return append([]string{
		"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")",
		"synchronous(FULL)",
		"cache_size(-" + strconv.Itoa(cacheKiB) + ")",
		"temp_store(MEMORY)",
	}, more...)
}

func location(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}

func dsn(path string, more ...string) string {
	return location(path, url.Values{"_pragma": pragmas(readerCache, more...)})
}

// looking is dsn for who changes nothing. The last connection to close moves home
// what the log of a killed process still holds, unless it cannot write. Without a
// log one that cannot write would leave an empty one.
func looking(path string) string {
	if hasLog(path) {
		return dsn(path) + "&mode=ro"
	}
	return dsn(path)
}

// openWriter opens the writer's connection. It lies below package database/sql:
// the writer's statements are so many that what that package does beside them
// counts.
func openWriter(path string) (*engine.Conn, error) {
	name, err := vfs.Writer()
	if err != nil {
		return nil, err
	}
	conn, err := engine.OpenConn(location(path, url.Values{"vfs": {name}}), engine.OpenReadWrite|engine.OpenURI)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	for _, p := range pragmas(writerCache, writerPragmas...) {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+p, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	conn.SetBusyTimeout(0) // the writer waits by itself
	return conn, nil
}

// openUpkeep opens the connection that moves what the log holds home, and
// migrates.
func openUpkeep(path string) (*sql.DB, error) {
	name, err := vfs.Checkpointer()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, writerPragmas...)+"&vfs="+name)
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

func openReaders(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, "query_only(1)", "wal_autocheckpoint(0)"))
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	return db, nil
}

// makeFile makes the file with tight rights before SQLite would make it with
// loose ones: it holds recipients. One that is there is not even opened, for
// closing it would drop the locks that this process has on it. What SQLite makes
// beside it belongs to whom the file belongs to.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	secret.HandOver(f)
	return f.Close() //nolint:wrapcheck // as above
}

// Open opens or creates the database at c.Path and brings its schema to this
// version's. Close it when done.
func Open(ctx context.Context, c Config) (_ *Store, err error) {
	c = c.complete()
	path, err := filepath.Abs(c.Path)
	if err == nil {
		err = makeFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	defer func() { err = unopened(path, err) }()
	pending, err := examine(ctx, path, consent(c.Migrate))
	if err != nil {
		return nil, err
	}
	var once sync.Once
	s := &Store{path: path, beside: c.Beside, log: c.Log, fatal: func(err error) { once.Do(func() { c.Fatal(err) }) }, walks: make(chan struct{}, walkers), highWater: highwater.New()}
	s.versions = s.newVersions()
	s.Registry = registry.New(database{s}, "rowid")
	defer func() {
		if err != nil {
			_ = s.closeDatabases()
		}
	}()
	if s.upkeep, err = openUpkeep(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if pending {
		if err := migrate(ctx, s.upkeep, path); err != nil {
			return nil, err
		}
	}
	if s.read, err = openReaders(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	floor, err := s.storedHighWater(ctx)
	if err != nil {
		return nil, err
	}
	s.clock = clock.New(c.Wall, floor)
	behind := s.tellAhead(ctx, false)
	if s.writer, err = newWriter(s, c.Observer); err != nil {
		return nil, err
	}
	bg, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.background.Go(func() { s.checkpoints(bg) })
	s.background.Go(func() { s.keepHighWater(bg) })
	s.background.Go(func() { s.watchWall(bg, behind) })
	return s, nil
}

// Close waits for work under way, checkpoints and closes the database. A
// checkpoint that cannot be made is a warning, a failed sync an error.
func (s *Store) Close() error {
	s.stop()
	s.background.Close()
	s.highWater.Leave(s.raiseMark, s.log)
	s.writer.close()
	// What an orderly stop leaves is one file. Where the log cannot be moved home,
	// as on a full disk, it stays beside it: all that was acknowledged is synced in
	// it, and who opens the database next reads it. Beside others nothing is moved;
	// where they are gone, SQLite moves it as the last connection closes.
	var err error
	if !s.beside {
		_, _, err = s.checkpoint(context.Background(), "TRUNCATE")
	}
	if err != nil && !unsynced(err) {
		s.log.Warn("the last checkpoint was not made; the log stays beside the database", slog.Any("err", err))
		err = nil
	}
	return errors.Join(err, s.closeDatabases())
}

func (s *Store) closeDatabases() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.upkeep != nil {
		errs = append(errs, s.upkeep.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Now is the store's time (V-10).
func (s *Store) Now() time.Time { return s.clock.Now() }

// Ping reports whether the database answers and this version runs on its schema:
// ErrOlder or ErrNewer if not.
func (s *Store) Ping(ctx context.Context) error {
	known, err := schema.Newest(migrations)
	if err != nil {
		return err
	}
	var have, oldest int64
	if err := s.read.QueryRowContext(ctx, schema.Select).Scan(&have, &oldest); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return schema.RunsOn(have, known, oldest)
}

// SQLite's primary result codes that the store acts on.
const (
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteConflict = 19 // any constraint

	sqliteNotADatabase = 26

	sqliteIOErrFsync    = 1034
	sqliteIOErrDirFsync = 1290
)

// endUnsynced hands a failed sync to Fatal: what was written since the last one
// may be lost, and the next would not say so. The log still has it for whoever
// opens the database anew.
func (s *Store) endUnsynced(err error) {
	if unsynced(err) {
		s.fatal(fmt.Errorf("sync database: %w", err))
	}
}

// unsynced reports whether err is a failed sync.
func unsynced(err error) bool {
	code := resultCode(err)
	return code == sqliteIOErrFsync || code == sqliteIOErrDirFsync
}

// resultCode returns err's extended result code, 0 if SQLite did not make it.
func resultCode(err error) int {
	if e, ok := errors.AsType[*sqlite3.Error](err); ok {
		return e.Code()
	}
	if code := engine.ErrCode(err); code != engine.ResultError { // which stands for any other error too
		return int(code)
	}
	return 0
}
