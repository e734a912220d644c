//go:build !unix

package secret

import "io/fs"

// rootsForUs is for systems with a root.
func rootsForUs(fs.FileInfo) bool { return false }

// Trusted is for systems whose files have a user's number.
func Trusted(fs.FileInfo) bool { return true }

func sameOwner(_, _ fs.FileInfo) bool { return true }
