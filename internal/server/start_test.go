package server_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/verify"
)

// stopped is a context that ends when it is asked how it is for the nth time:
// so a start is ended in each of its parts.
type stopped struct {
	context.Context //nolint:containedctx // it is one
	end             context.CancelFunc
	left            atomic.Int64
}

func stopAfter(t *testing.T, n int64) *stopped {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	s := &stopped{Context: ctx, end: cancel}
	s.left.Store(n)
	return s
}

func (s *stopped) count() {
	if s.left.Add(-1) < 0 {
		s.end()
	}
}

func (s *stopped) Done() <-chan struct{} { s.count(); return s.Context.Done() }
func (s *stopped) Err() error            { s.count(); return s.Context.Err() }

func TestAServerThatIsEndedWhileItStartsEndsAsOneThatServes(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 2, 4, 8, 16, 32, 64, 128} {
		dir := fresh(t)
		log := &buffer{}
		s := &server.Server{
			Config: settings(t, dir), Log: slog.New(slog.NewTextHandler(log, nil)), Out: &buffer{}, Notice: time.Millisecond,
		}
		ctx := stopAfter(t, n)
		s.Started = func(net.Addr, net.Addr) { ctx.end() }
		if err := s.Run(ctx); err != nil {
			t.Errorf("ended after %d looks: Run = %v; want nil", n, err)
		}
		if said := log.String(); !strings.Contains(said, "msg=stopped") || strings.Contains(said, "level=ERROR") {
			t.Errorf("ended after %d looks it said\n%s", n, said)
		}
	}
}

// sqliteOf opens the database in dir beside the program.
func sqliteOf(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAServerThatCannotKeepAConsoleLinkServesWithoutIt(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	if _, err := sqliteOf(t, dir).ExecContext(t.Context(),
		"CREATE TRIGGER full BEFORE INSERT ON console_invites BEGIN SELECT RAISE(ABORT, 'no room'); END"); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir)
	if r.key == "" || strings.Contains(r.out.String(), "console ") {
		t.Errorf("printed %q; want the key and no link", r.out)
	}
	if !strings.Contains(r.log.String(), "level=WARN msg=\"there is no link to the console") {
		t.Errorf("logged\n%s", r.log)
	}
	r.must(200, "GET", "/2fa/v4/otp", "")
}

func TestReadinessSaysThatTheSchemaBecameTooNew(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	if _, err := sqliteOf(t, dir).ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	if got := r.must(503, "GET", "/readyz", ""); !strings.Contains(got, "schema") {
		t.Errorf("/readyz says %q; want what is so", got)
	}
}

func TestWhatIsPastItsRetentionIsRemovedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	ago := func() time.Time { return time.Now().Add(-2 * time.Hour) }
	d, err := server.Open(t.Context(), settings(t, dir), slog.New(slog.DiscardHandler), server.Options{Wall: ago})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := queue(t, d, "+4915112345670") // good for ten minutes
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, dir, "COUNTERSIGN_RETENTION=1h")
	beside(t, dir, func(d *server.Deployment) {
		eventually(t, "the OTP is removed", func() bool {
			_, err := d.Store.OTP(t.Context(), verify.Ref{Account: "default", Origin: "test", ID: id})
			return errors.Is(err, verify.ErrNotFound)
		}, r.log.String)
	})
}
