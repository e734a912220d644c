package pgtest

import (
	"flag"

	"golang.org/x/sys/unix"
)

// Tests of what stands on the store need its promises between processes, not
// over a loss of power: where there is room, the cluster that they share is in
// memory, and each of its syncs costs nothing. Start stays on the disk, and so
// does everything in benchmarks, whose figures would mean nothing.
const (
	memoryDir  = "/dev/shm"
	memoryRoom = 2 << 30 // bytes free: a cluster with some dozen databases in each of several processes
)

// Memory is a directory in memory, or "" if there is none with enough room.
func Memory() string {
	if bench := flag.Lookup("test.bench"); bench != nil && bench.Value.String() != "" {
		return ""
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(memoryDir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return ""
	}
	if fs.Bavail*uint64(fs.Bsize) < memoryRoom || unix.Access(memoryDir, unix.W_OK) != nil { //nolint:gosec // a block's size is small
		return ""
	}
	return memoryDir
}
