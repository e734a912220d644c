//go:build unix

package server_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/server"
)

// openedBy holds the lock of whoever makes or migrates the database in dir.
func openedBy(t *testing.T, dir string) (release func()) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(dir, "countersign.db.open"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = file.Close() }
}

func TestAStartThatWaitsForAnothersMigrationEndsWhenItIsStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openedBy(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the wait is the first that sees it
	ended := make(chan error, 2)
	go func() {
		s := &server.Server{Config: fileSettings(t, dir), Log: slog.New(slog.DiscardHandler)}
		ended <- s.Run(ctx)
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	case <-time.After(patience):
		t.Fatal("the start did not end")
	}
	go func() {
		_, err := server.Open(ctx, fileSettings(t, dir), slog.New(slog.DiscardHandler), server.Options{})
		ended <- err
	}()
	select {
	case err := <-ended:
		if _, is := errors.AsType[*server.RefusalError](err); is || !errors.Is(err, context.Canceled) {
			t.Errorf("Open = %v; want that it was stopped", err)
		}
	case <-time.After(patience):
		t.Fatal("the command did not end")
	}
}

func TestAStartGoesOnOnceAnothersMigrationIsDone(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	release := openedBy(t, dir)
	r := launch(t, dir, notice)
	release()
	r.await()
}

// Root's commands and the server of another user work on the same files.
func TestALockFileBelongsToTheOwnerOfItsDirectory(t *testing.T) {
	t.Parallel()
	dir, want := anothers(t)
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	belong(t, dir, want, "countersign.db.open")
}

// TestASecondServerIsSoleOnlyOnceTheFirstHasClosedTheDatabase holds up the last
// checkpoint with a reader and looks at the lock meanwhile.
func TestASecondServerIsSoleOnlyOnceTheFirstHasClosedTheDatabase(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	reader, err := sqliteOf(t, dir).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM accounts").Scan(&n); err != nil {
		t.Fatal(err)
	}
	newKey(t, dir, false) // something that the reader does not see
	file, err := os.OpenFile(filepath.Join(dir, "countersign.db.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	free := func() bool {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Fatal(err)
		}
		return err == nil
	}
	go r.cancel()
	eventually(t, "the server has stopped serving", func() bool { return strings.Contains(r.log.String(), "msg=stopped") }, r.log.String)
	for range 100 {
		if free() {
			t.Error("the lock was free before the database was closed")
			break
		}
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if !free() {
		t.Error("the lock is held after the end")
	}
}
