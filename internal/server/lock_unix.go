//go:build unix

package server

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the lock file at path, or reports that another process holds it.
// The lock ends with the process, however it ends.
func lock(path string) (held *os.File, ok bool, err error) {
	return flock(path, syscall.LOCK_EX|syscall.LOCK_NB)
}

// await takes the lock file at path, waiting for whoever holds it.
func await(path string) (held *os.File, err error) {
	held, ok, err := flock(path, syscall.LOCK_EX)
	if err == nil && !ok {
		return nil, fmt.Errorf("lock %s: %w", path, errLock)
	}
	return held, err
}

var errLock = errors.New("the lock cannot be taken")

func flock(path string, how int) (held *os.File, ok bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the database
	if err != nil {
		return nil, false, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, false, nil //nolint:nilerr // somebody else holds it
	}
	return f, true, nil
}
