//go:build !unix

package secret

import (
	"io/fs"
	"os"
)

// HandOver is for systems with a root.
func HandOver(*os.File) {}

// Owner is for systems whose files have a user's number.
func Owner(fs.FileInfo) (uid int, ok bool) { return 0, false }

// rootsForUs is for systems with a root.
func rootsForUs(fs.FileInfo) bool { return false }

// Trusted is for systems whose files have a user's number.
func Trusted(fs.FileInfo) bool { return true }

func sameOwner(_, _ fs.FileInfo) bool { return true }
