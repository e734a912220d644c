//go:build !unix

package secret

import "io/fs"

// rootsForUs is for systems with a root.
func rootsForUs(fs.FileInfo) bool { return false }
