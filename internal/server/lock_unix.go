//go:build unix

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/countersign/countersign/internal/secret"
)

// lockEvery is how often a lock is tried that another process holds: the system
// call that waits for it would not see that this process is to end.
const lockEvery = 50 * time.Millisecond

// lock takes the lock file at path, or reports that another process holds it.
// The lock ends with the process, however it ends.
func lock(path string) (held *os.File, ok bool, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, false, err
	}
	if err := tryLock(f); err != nil {
		_ = f.Close()
		return nil, false, nil //nolint:nilerr // somebody else holds it
	}
	return f, true, nil
}

// await takes the lock file at path, waiting for whoever holds it, for at most as
// long as ctx.
func await(ctx context.Context, path string) (held *os.File, err error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	again := time.NewTicker(lockEvery)
	defer again.Stop()
	for {
		err := tryLock(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for %s, which another process holds: %w", path, context.Cause(ctx))
		}
	}
}

func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:wrapcheck // the caller says what it was doing
}

// openLock opens the lock file at path, making it if it is not there.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // beside the database
	if err == nil {
		secret.HandOver(f)
	}
	if errors.Is(err, fs.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // as above
	}
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	return f, nil
}
