package secret

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ExpectMode says what rights CheckGiven wants of a file.
const ExpectMode = "mode 0600, or 0640 if root owns it and the server runs as somebody else"

// CheckGiven refuses with ErrLooseFile a file with a root key, which the operator
// put there, that others than its owner may read or write (S-01). Its group may
// read it if root owns it and this process is not root's: packages, and secrets
// that containers mount, are laid out so. A missing one is fs.ErrNotExist.
func CheckGiven(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the rights of a file: %w", err)
	}
	return private(path, info, true)
}

// CheckOwner refuses with ErrForeignFile a file that belongs neither to root, nor
// to the user that this process runs as, nor to the owner of its directory:
// somebody else put it there. One that is not there is not refused.
func CheckOwner(path string) error { return checkOwner(path, os.Stat) }

// stat is [os.Stat]; a test says itself who owns what.
type stat func(path string) (fs.FileInfo, error)

func checkOwner(path string, stat stat) error {
	info, err := stat(path)
	if err != nil || Trusted(info) {
		return nil //nolint:nilerr // whoever opens it says more
	}
	if dir, err := stat(filepath.Dir(path)); err == nil && sameOwner(info, dir) {
		return nil
	}
	return fmt.Errorf("%s: %w", path, ErrForeignFile)
}

func private(path string, info fs.FileInfo, given bool) error {
	loose := fs.FileMode(0o077)
	if given && rootsForUs(info) {
		loose = 0o037
	}
	if mode := info.Mode().Perm(); mode&loose != 0 {
		return fmt.Errorf("%s, mode %04o: %w", path, mode, ErrLooseFile)
	}
	return nil
}
