//go:build linux

package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

func TestAFullDiskRefusesWritesAndRecovers(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"a small file system", "a limit on the file's size"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := child(t, "full disk", filepath.Join(dir, "countersign.db"))
			if way == "a small file system" {
				// Namespaces of its own let the child mount one, whoever runs
				// the tests; it is gone with the child.
				cmd.Args = append(cmd.Args, "mount")
				cmd.SysProcAttr = &syscall.SysProcAttr{
					Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
					UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
					GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
				}
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("the child: %v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// childFullDisk fills the disk under a store and frees it again.
func childFullDisk(path string) error {
	fill, free := limitFileSize(path)
	if len(os.Args) > 1 && os.Args[1] == "mount" {
		dir := filepath.Dir(path)
		if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("make mounts private: %w", err)
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
		fill, free = fillFileSystem(dir)
	}
	return fullDisk(path, fill, free)
}

// limitFileSize lets no file grow beyond what the WAL has now.
func limitFileSize(path string) (fill, free func() error) {
	var before unix.Rlimit
	return func() error {
			info, err := os.Stat(path + "-wal")
			if err != nil {
				return err
			}
			if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
				return err
			}
			return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(info.Size()), Max: before.Max})
		}, func() error {
			return unix.Setrlimit(unix.RLIMIT_FSIZE, &before)
		}
}

// fillFileSystem takes all space that is left.
func fillFileSystem(dir string) (fill, free func() error) {
	ballast := filepath.Join(dir, "ballast")
	return func() error {
			f, err := os.Create(ballast)
			if err != nil {
				return err
			}
			defer f.Close()
			for page := make([]byte, 4096); err == nil; {
				_, err = f.Write(page)
			}
			if !errors.Is(err, unix.ENOSPC) {
				return err
			}
			return nil
		}, func() error {
			return os.Remove(ballast)
		}
}

func fullDisk(path string, fill, free func() error) error {
	ctx := context.Background()
	var synced atomic.Bool
	s, err := sqlite.Open(ctx, sqlite.Config{
		Path: path, Log: slog.New(slog.DiscardHandler), Fatal: func(error) { synced.Store(true) },
	})
	if err != nil {
		return err
	}
	if err := s.CreateAccount(ctx, account.Account{Name: "acme"}); err != nil {
		return err
	}
	if _, err := s.CreateOTP(ctx, newOTP(fatal{}, "before", time.Hour)); err != nil {
		return err
	}
	for round := range 3 {
		if err := fill(); err != nil {
			return fmt.Errorf("fill the disk: %w", err)
		}
		var stored, refused []string
		for i := 0; len(refused) < 20; i++ {
			id := fmt.Sprintf("round%d-%d", round, i)
			_, err := s.CreateOTP(ctx, newOTP(fatal{}, id, time.Hour))
			switch {
			case err == nil && i < 10_000:
				stored = append(stored, id) // what the WAL still had room for
			case errors.Is(err, verify.ErrUnavailable):
				refused = append(refused, id)
			default:
				return fmt.Errorf("send %d on a full disk = %w, want ErrUnavailable", i, err)
			}
		}
		if _, err := s.CountAttempt(ctx, guess("before", rightCode)); !errors.Is(err, verify.ErrUnavailable) {
			return fmt.Errorf("a check on a full disk = %w, want ErrUnavailable: nothing is verified that is not written (D-07)", err)
		}
		rec, err := s.OTP(ctx, verify.Ref{Account: "acme", Origin: "test", ID: "before"})
		if err != nil || rec.State != otp.Active || rec.Attempts != 0 {
			return fmt.Errorf("a read on a full disk = %v with %d attempts, %w", rec.State, rec.Attempts, err)
		}
		if err := s.Ping(ctx); err != nil {
			return fmt.Errorf("ping on a full disk: %w", err)
		}
		if err := free(); err != nil {
			return fmt.Errorf("free the disk: %w", err)
		}
		after := fmt.Sprintf("after-%d", round)
		if _, err := s.CreateOTP(ctx, newOTP(fatal{}, after, time.Hour)); err != nil {
			return fmt.Errorf("a send once there is space again, without a restart: %w", err)
		}
		for _, id := range append(stored, after) {
			if _, err := s.OTP(ctx, verify.Ref{Account: "acme", Origin: "test", ID: id}); err != nil {
				return fmt.Errorf("the acknowledged OTP %s: %w", id, err)
			}
		}
		for _, id := range refused {
			if _, err := s.OTP(ctx, verify.Ref{Account: "acme", Origin: "test", ID: id}); !errors.Is(err, verify.ErrNotFound) {
				return fmt.Errorf("the refused OTP %s is there: %w", id, err)
			}
		}
		fmt.Printf("round %d: %d sends fitted, %d were refused\n", round, len(stored), len(refused))
	}
	if c, err := s.CountAttempt(ctx, guess("before", rightCode)); err != nil || c.Verdict != otp.Right {
		return fmt.Errorf("a check once there is space again = %v, %w", c.Verdict, err)
	}
	if synced.Load() {
		return errors.New("a full disk was taken for a failed sync")
	}
	if err := s.Close(); err != nil {
		return err
	}
	return intact(path)
}

func intact(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(context.Background(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("integrity_check = %q, %w", verdict, err)
	}
	return nil
}

// If every sync fails, every commit that is acknowledged was acknowledged
// without one. So that none is acknowledged shows that each waits for its sync
// (D-01), and that the process is told to end shows D-07.
func TestNothingIsAcknowledgedWithoutASync(t *testing.T) {
	t.Parallel()
	path := made(t)
	out, err := child(t, "no sync", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1000 of 1000 refused") {
		t.Errorf("the child: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	whole(t, path)
}

// childNoSync lets every sync of the process fail and then sends.
func childNoSync(path string) error {
	ctx := context.Background()
	var fatals atomic.Int32
	s, err := sqlite.Open(ctx, sqlite.Config{
		Path: path, Log: slog.New(slog.DiscardHandler), Fatal: func(error) { fatals.Add(1) },
	})
	if err != nil {
		return err
	}
	if err := s.CreateAccount(ctx, account.Account{Name: "acme"}); err != nil {
		return err
	}
	if _, err := s.CreateOTP(ctx, newOTP(fatal{}, "before", time.Hour)); err != nil {
		return fmt.Errorf("a send while syncs work: %w", err)
	}
	// A database that does not sync at each commit goes on as if nothing were:
	// it shows that the test can tell.
	loose, err := sql.Open("sqlite", "file:"+filepath.Join(filepath.Dir(path), "loose.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return err
	}
	defer loose.Close()
	if _, err := loose.ExecContext(ctx, "CREATE TABLE t (x)"); err != nil {
		return err
	}
	if err := fail(unix.SYS_FSYNC, unix.SYS_FDATASYNC); err != nil {
		return fmt.Errorf("let syncs fail: %w", err)
	}
	if _, err := loose.ExecContext(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		return fmt.Errorf("a commit that needs no sync: %w", err)
	}
	const sends = 1000
	refused := 0
	for i := range sends {
		_, err := s.CreateOTP(ctx, newOTP(fatal{}, fmt.Sprintf("unsynced-%d", i), time.Hour))
		if err == nil {
			return fmt.Errorf("send %d was acknowledged without a sync", i)
		}
		if !errors.Is(err, verify.ErrUnavailable) {
			return fmt.Errorf("send %d without a sync = %w, want ErrUnavailable", i, err)
		}
		refused++
	}
	if n := fatals.Load(); n != 1 {
		return fmt.Errorf("the process was told %d times to end, want once (D-07)", n)
	}
	fmt.Printf("%d of %d refused\n", refused, sends)
	return nil
}

// A page that a checkpoint wrote and the disk did not take is lost in silence
// if the process goes on: the next sync says nothing of it.
func TestAFailedCheckpointEndsTheProcess(t *testing.T) {
	t.Parallel()
	path := made(t)
	if out, err := child(t, "no checkpoint", path).CombinedOutput(); err != nil {
		t.Errorf("the child: %v\n%s", err, out)
	}
	whole(t, path)
}

// childNoCheckpoint lets the disk refuse pages of checkpoints only, and waits
// for one.
func childNoCheckpoint(path string) error {
	ctx := context.Background()
	ended := make(chan struct{})
	s, err := sqlite.Open(ctx, sqlite.Config{
		Path: path, Log: slog.New(slog.DiscardHandler), Fatal: func(error) { close(ended) }, // once, it promises
	})
	if err != nil {
		return err
	}
	if err := s.CreateAccount(ctx, account.Account{Name: "acme"}); err != nil {
		return err
	}
	if err := fail(unix.SYS_SYNC_FILE_RANGE); err != nil {
		return fmt.Errorf("let writing out fail: %w", err)
	}
	for i := range 500 { // far more pages than are written out at once
		if _, err := s.CreateOTP(ctx, newOTP(fatal{}, fmt.Sprintf("o-%d", i), time.Hour)); err != nil {
			return fmt.Errorf("a send: %w", err)
		}
	}
	select {
	case <-ended:
		return nil
	case <-time.After(patience):
		return errors.New("no checkpoint ended the process")
	}
}

// fail makes system calls of this process return EIO from now on, by a seccomp
// filter on all its threads.
func fail(calls ...uint32) error {
	const fail = unix.SECCOMP_RET_ERRNO | uint32(unix.EIO)
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // seccomp_data.nr
	for i, call := range calls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(calls) - i), K: call})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: fail})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return errno
	}
	return nil
}
