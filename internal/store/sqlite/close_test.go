//go:build linux

package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// A stop on a full disk has lost nothing: whoever ends the process is not to be
// told that it failed.
func TestAFullDiskAtTheEndIsAWarningAndNothingIsLost(t *testing.T) {
	t.Parallel()
	cmd := child(t, "full at end", filepath.Join(t.TempDir(), "countersign.db"))
	cmd.SysProcAttr = &syscall.SysProcAttr{ // so that the child may mount a disk
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the child: %v\n%s", err, out)
	}
}

// childFullAtEnd sends until the disk is full, and closes the store.
func childFullAtEnd(path string) error {
	dir := filepath.Dir(path)
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	fill, free := fillFileSystem(dir)
	var log bytes.Buffer
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		return err
	}
	s.Rest() // on a slow machine it would have moved the log home before the end
	if err := s.CreateAccount(ctx, account.Account{Name: "acme"}); err != nil {
		return err
	}
	const sends = 100
	for i := range sends {
		if _, err := s.CreateOTP(ctx, newOTP(fatal{}, fmt.Sprintf("o%d", i), time.Hour)); err != nil {
			return err
		}
	}
	if err := fill(); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return fmt.Errorf("Close on a full disk = %w, want nil", err)
	}
	if !strings.Contains(log.String(), "the last checkpoint was not made") {
		return errors.New("the disk was not full enough: " + log.String())
	}
	if err := free(); err != nil {
		return err
	}
	if s, err = openChild(path); err != nil {
		return err
	}
	for i := range sends {
		if _, err := s.OTP(ctx, verify.Ref{Account: "acme", Origin: "test", ID: fmt.Sprintf("o%d", i)}); err != nil {
			return fmt.Errorf("the acknowledged OTP %d: %w", i, err)
		}
	}
	return s.Close()
}
