package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
	lib "modernc.org/sqlite/lib"
)

// writeOut has the disk write n bytes of a file from an offset on and waits for
// it. It reports false if they could not be written: the kernel says that once,
// and a later sync of the file would succeed. Where a file system knows no such
// request nothing is done, and the sync does it.
func writeOut(file uintptr, from, n int64) bool {
	const all = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
	err := unix.SyncFileRange(int(at[lib.TunixFile](file).Fh), from, n, all)
	return !errors.Is(err, unix.EIO) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT)
}
