//go:build unix

package secret

import (
	"io/fs"
	"os"
	"syscall"
)

// rootsForUs reports whether root owns a file and we are not root: only its group
// then lets us read it.
func rootsForUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && os.Geteuid() != 0
}
