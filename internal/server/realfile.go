package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/internal/config"
)

// maxLinks is how many symbolic links one after the other are followed, as Linux
// does.
const maxLinks = 40

// realFile is where the symbolic link at path leads, and the one there, and so on;
// path if there is none. What locks are named after has one name then: servers and
// commands that use it by several must see each other. It need not exist. Links
// among the directories can stay, as the locks are in the same directory anyway.
func realFile(path string) string {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Dir(path) + string(filepath.Separator) + target // not cleaned: a link's .. is where it leads
		}
		dir, name := filepath.Split(target)
		if dir, err = filepath.EvalSymlinks(dir); err != nil {
			return path // whoever opens it says more
		}
		path = filepath.Join(dir, name)
	}
	return path
}

// prepare makes and looks at the directories of c, and returns c with the database's
// file instead of a symbolic link to it.
func prepare(ctx context.Context, c config.Config, log *slog.Logger) (config.Config, error) {
	if err := prepareDirs(ctx, c, log); err != nil {
		return c, err
	}
	path := realFile(c.DatabasePath)
	if path == c.DatabasePath {
		return c, nil
	}
	c.DatabasePath = path
	return c, checkDir(ctx, "the database's directory", filepath.Dir(path), log)
}
