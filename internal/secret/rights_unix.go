//go:build unix

package secret

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HandOver gives a file that root has just made to the owner of its directory: a
// server that runs as that user has to open it. Of others it does nothing, and
// where it may not be done neither: who made the file can use it anyway.
func HandOver(f *os.File) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(owner.Uid), int(owner.Gid))
	}
}

// Owner returns the user's number of whom a file belongs to, false if it has none.
func Owner(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// rootsForUs reports whether root owns a file and we are not root: only its group
// then lets us read it.
func rootsForUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && os.Geteuid() != 0
}

// Trusted reports whether root or the user that this process runs as owns a file
// or directory. To root a directory of any owner is trusted, for operators run
// commands as root beside a server that is another user's; of files CheckOwner
// says more.
func Trusted(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || trusted(int(stat.Uid), os.Geteuid(), info.IsDir())
}

func trusted(owner, us int, dir bool) bool {
	return owner == 0 || owner == us || us == 0 && dir
}

// sameOwner reports whether two files are one user's.
func sameOwner(a, b fs.FileInfo) bool {
	of, okOf := a.Sys().(*syscall.Stat_t)
	in, okIn := b.Sys().(*syscall.Stat_t)
	return okOf && okIn && of.Uid == in.Uid
}
