package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	main "github.com/countersign/countersign/cmd/countersign"
	"github.com/countersign/countersign/internal/pgtest"
)

func TestACheckThatWaitsForTheCodeEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	terminal, typed := io.Pipe()
	defer typed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- main.Run(ctx, []string{"check", "--account", "a", "x"}, terminal, &out, &errs, nil) }()
	select {
	case code := <-ended:
		if code != 1 || out.Len() > 0 {
			t.Errorf("exit code %d, printed %q, said %q; want 1", code, &out, &errs)
		}
	case <-time.After(patience):
		t.Fatal("the command did not end")
	}
}

// full is a disk with no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestHelpThatCannotBePrintedExitsWithOne(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"key", "create", "--help"}} {
		var errs bytes.Buffer
		if code := main.Run(t.Context(), args, strings.NewReader(""), full{}, &errs, nil); code != 1 || !strings.Contains(errs.String(), "no space") {
			t.Errorf("%v: exit code %d, said %q; want 1 and why", args, code, &errs)
		}
	}
}

func TestACommandThatIsInterruptedEndsThoughACommitWaits(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	p := newPlace(t)
	p.url = pgtest.Schema(t, cluster.URL())
	p.environ = []string{"COUNTERSIGN_DATABASE_URL=" + p.url, "COUNTERSIGN_SECRET_KEY=" + rootKey}
	p.done("migrate")
	admin, err := sql.Open("pgx", cluster.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	cluster.SetSynchronous(t, "nobody")
	defer cluster.SetSynchronous(t, "") // so that the schema can be dropped
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	c := p.command(ctx, "account", "create", "acme")
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for waits := 0; waits == 0; time.Sleep(10 * time.Millisecond) {
		if err := admin.QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'").Scan(&waits); err != nil {
			t.Fatalf("no commit waits: %v", err)
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != 1 || !strings.Contains(errs.String(), "unknown") {
		t.Errorf("ended with %v, said %q; want exit code 1 and that the outcome is unknown", err, &errs)
	}
}
