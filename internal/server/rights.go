package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// prepareDirs makes the data directory, mode 0700, and looks at the one that the
// SQLite database is in, if that is another: it has to be there, and is looked at
// first, so that a wrong path leaves nothing behind.
func prepareDirs(ctx context.Context, c config.Config, log *slog.Logger) error {
	if dir := filepath.Dir(c.DatabasePath); !same(dir, c.DataDir) {
		if err := checkDir(ctx, "the database's directory", dir, log); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return &RefusalError{"the data directory cannot be made", "a directory that can be made and written to", err}
	}
	return checkDir(ctx, "the data directory", c.DataDir, log)
}

// same reports whether two paths are spelled alike when made absolute.
func same(a, b string) bool {
	absA, errA := filepath.Abs(a)
	absB, errB := filepath.Abs(b)
	return errors.Join(errA, errB) == nil && absA == absB
}

// checkDir looks at the rights of a directory. It may be looser than 0700, since
// what is in it has rights of its own; one that anybody may write to is refused,
// since files in it could be exchanged. In a sticky one (/tmp) they cannot be, and
// what others put there first is refused by its owner (secret.CheckOwner).
func checkDir(ctx context.Context, name, path string, log *slog.Logger) error {
	info, err := os.Stat(path)
	if err != nil {
		return &RefusalError{name + " cannot be read", "a directory", err}
	}
	mode := info.Mode()
	switch {
	case !info.IsDir():
		return &RefusalError{path + " is a file", name, nil}
	case mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0:
		return &RefusalError{fmt.Sprintf("anybody may write to %s %s, mode %s", name, path, octal(mode)), "mode 0700", nil}
	case !secret.Trusted(info):
		return &RefusalError{name + " " + path + " belongs to somebody else", "one of root or of the user that this runs as", nil}
	case mode.Perm()&0o077 != 0:
		log.WarnContext(ctx, "others may look into a directory; mode 0700 keeps them out", slog.String("directory", path), slog.String("mode", octal(mode)))
	}
	return nil
}

// octal writes a mode as chmod reads it.
func octal(mode fs.FileMode) string {
	bits := mode.Perm()
	for of, bit := range map[fs.FileMode]fs.FileMode{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&of != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// checkFile looks at the rights of a file that holds what is private. One that
// others may write to is refused (S-01), one that they may read warned of: mounts
// of containers and copies by hand are laid out so. Of a file that is not there
// whoever opens it says more.
func checkFile(ctx context.Context, name, path string, log *slog.Logger) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o022 != 0:
		return &RefusalError{fmt.Sprintf("others may write to %s %s, mode %04o", name, path, mode), "mode 0600", nil}
	case mode&0o044 != 0:
		log.WarnContext(ctx, "others may read a file; mode 0600 keeps them out", slog.String("file", path), slog.String("mode", fmt.Sprintf("%04o", mode)))
	}
	return nil
}

// warnOfFiles warns of the files of settings and of carriers' secrets whose rights
// are loose. They are refused where anybody may write to them, when they are read.
func (s *Server) warnOfFiles(ctx context.Context) {
	if mode, is := looseFile(s.Config.File(), 0o020); is {
		s.Log.WarnContext(ctx, "the group may write to the settings; mode 0640 keeps it out", slog.String("file", s.Config.File()), slog.String("mode", octal(mode)))
	}
	for _, file := range s.Config.SecretFiles() {
		if mode, is := looseFile(file, 0o064); is {
			s.Log.WarnContext(ctx, "others may read a file with a secret, or write to it; mode 0600 keeps them out", slog.String("file", file), slog.String("mode", octal(mode)))
		}
	}
}

// looseFile returns the mode of a file, and whether it has any of these rights.
func looseFile(path string, loose fs.FileMode) (fs.FileMode, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Mode(), info.Mode()&loose != 0
}

// checkWritable refuses to serve an SQLite database that can be read only: SQLite
// opens it all the same, and nothing could be sent. Commands that only look may.
func checkWritable(c config.Config) error {
	if c.Postgres() {
		return nil
	}
	if err := sqlite.Writable(c.DatabasePath); err != nil {
		return &RefusalError{"database " + c.DatabasePath + " cannot be written to", "a database that the user that this runs as may read and write", err}
	}
	return nil
}

// checkDatabase is checkFile of an SQLite database: who is sent to, and when, is
// in it in clear.
func checkDatabase(ctx context.Context, path string, log *slog.Logger) error {
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := checkFile(ctx, "the database", path+part, log); err != nil {
			return err
		}
		if err := secret.CheckOwner(path + part); err != nil {
			return &RefusalError{"the database cannot be trusted", "a file of root, of the user that this runs as or of its directory's owner", err}
		}
	}
	return nil
}
