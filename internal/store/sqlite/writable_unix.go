//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Writable returns fs.ErrPermission or syscall.EROFS, with why, for a database at
// path that this process cannot write to. SQLite opens one for reading then, and
// says so only of the first write. One that is not there is not refused. The file
// is asked for its rights alone: opening and closing it would drop the locks that
// this process has on it.
func Writable(path string) error {
	for _, part := range []string{"", "-wal", "-shm"} {
		err := unix.Faccessat(unix.AT_FDCWD, path+part, unix.W_OK, unix.AT_EACCESS)
		if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("write to %s: %w%s", path+part, err, belonging(path+part))
		}
	}
	return nil
}
