package config

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// loose says what is wrong with the rights of a file that anybody may write to
// (S-01): whoever writes there decides where codes go, or with which password. ""
// if they are right. Of a file that is not there whoever reads it says more.
func loose(path string) string {
	info, err := os.Stat(path)
	const anybody fs.FileMode = 0o002
	if err != nil || !info.Mode().IsRegular() || info.Mode()&anybody == 0 {
		return ""
	}
	return fmt.Sprintf("anybody may write to it, mode %04o; expected mode 0600, or one that others may not write to", info.Mode().Perm())
}

// paths is a set of files. It is safe for concurrent use; the zero value is empty.
type paths struct {
	mu  sync.Mutex
	all []string // guarded by mu; in order
}

func (p *paths) add(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, has := slices.BinarySearch(p.all, path); !has {
		p.all = slices.Insert(p.all, i, path)
	}
}

// File returns the path of the file that the settings came from; "" for none.
func (c *Config) File() string {
	if c.doc == nil {
		return ""
	}
	return c.doc.path
}

// SecretFiles returns the paths of the files that secrets of carriers were read
// from so far, in order. The caller owns the slice.
func (c *Config) SecretFiles() []string {
	if c.doc == nil {
		return nil
	}
	c.doc.secrets.mu.Lock()
	defer c.doc.secrets.mu.Unlock()
	return slices.Clone(c.doc.secrets.all)
}
