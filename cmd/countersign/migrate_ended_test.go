package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// until waits until a query of a database is true.
func until(ctx context.Context, t *testing.T, db *sql.DB, query string) {
	t.Helper()
	for yes := false; !yes; time.Sleep(10 * time.Millisecond) {
		if err := db.QueryRowContext(ctx, query).Scan(&yes); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

// A server that were started on the file would be live beside the database that
// it was moved to (D-10).
func TestAMoveThatEndsAmidItsCommitIsFoundByASecondOne(t *testing.T) {
	t.Parallel()
	for signal, want := range map[syscall.Signal]string{syscall.SIGTERM: "run it again before any server starts", syscall.SIGKILL: ""} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cluster := pgtest.Start(t)
			p := onFiles(t)
			p.done("account", "create", "acme")
			onFiles(t, "COUNTERSIGN_SECRET_KEY="+rootKey, "COUNTERSIGN_DATABASE_URL="+cluster.URL()).done("migrate")
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
			defer cancel()
			admin, err := sql.Open("pgx", cluster.AdminURL())
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			// So that it is the move's commit that waits, and not one before it.
			hold, err := admin.BeginTx(ctx, nil)
			if err == nil {
				_, err = hold.ExecContext(ctx, "LOCK TABLE tallies IN ACCESS SHARE MODE")
			}
			if err != nil {
				t.Fatal(err)
			}
			move := []string{"migrate", "--from", "sqlite:" + filepath.Join(p.dir, "countersign.db"), "--to", cluster.URL()}
			c := p.command(ctx, move...)
			var errs bytes.Buffer
			c.Stderr = &errs
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			until(ctx, t, admin, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
			cluster.SetSynchronous(t, "nobody")
			if err := hold.Rollback(); err != nil {
				t.Fatal(err)
			}
			until(ctx, t, admin, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')")
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err = c.Wait()
			if code := c.ProcessState.ExitCode(); err == nil || code > 1 || !strings.Contains(errs.String(), want) {
				t.Errorf("ended with %v, said %q; want exit code 1 and %q", err, &errs, want)
			}
			cluster.SetSynchronous(t, "")
			until(ctx, t, admin, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')")
			if got := p.done("quarantine"); got != "off" {
				t.Errorf("the source's quarantine is %q before the second run; want off", got)
			}
			if got := p.done(move...); !strings.Contains(got, "moved before") || !strings.Contains(got, "is quarantined") {
				t.Errorf("a second migrate printed\n%s\nwant that it was moved before", got)
			}
			if got := p.done("quarantine"); !strings.HasPrefix(got, "on\t") {
				t.Errorf("the source's quarantine is %q after the second run; want on", got)
			}
		})
	}
}
