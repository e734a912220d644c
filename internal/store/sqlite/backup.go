package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
)

// Errors of backups and of restoring them.
var (
	// ErrDamaged: the file is no whole database.
	ErrDamaged = errors.New("the database is damaged")
	// ErrOtherProgram: it is a database, and not ours.
	ErrOtherProgram = errors.New("the file is no Countersign database")
)

const sqliteCorrupt = 11 // SQLite's result code for a damaged file

// Backup writes a copy of the database, as it is at one moment, to a new file
// at path, mode 0600, while the database is used. The copy is quarantined: who
// opens it, restored or not, sends nothing until it is released. Until Backup
// returns nil there is no file at path; fs.ErrExist if there is one already.
func (s *Store) Backup(ctx context.Context, path string) error {
	return copyInto(ctx, dsn(s.path, "wal_autocheckpoint(0)"), path, s.Now(), func(*os.File) {})
}

// Inspect refuses a file that is no whole database of this version, or of a
// root key that is not among known: ErrDamaged, ErrOtherProgram, registry.ErrOtherKey,
// ErrNewer or ErrOlder. Other errors, such as fs.ErrPermission, say nothing of
// what is in the file.
func Inspect(ctx context.Context, path string, known []otp.KeyID) error {
	if err := inspect(ctx, path, looking(path), known); err != nil {
		return err
	}
	_, err := examine(ctx, path, mustNotMigrate)
	return err
}

// Restore makes a quarantined database at path from a backup; one that root makes
// belongs to the directory's owner. known are the root keys that are at hand, nil if that is not known: a backup that was
// written under another is refused with registry.ErrOtherKey. Further errors are
// ErrDamaged, ErrOtherProgram, ErrNewer and fs.ErrExist; after each of them
// there is nothing at path that was not there before. What restores to path left
// that were killed is deleted: the caller sees to it that no other is under way.
func Restore(ctx context.Context, backup, path string, known []otp.KeyID, now time.Time) error {
	if info, err := os.Stat(backup); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	} else if info.IsDir() || info.Size() == 0 {
		return fmt.Errorf("read the backup: %w", ErrOtherProgram)
	}
	from := dsn(backup) + "&mode=ro"
	if err := inspect(ctx, backup, from, known); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if _, err := examine(ctx, backup, mayMigrate); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if err := removeLeftovers(path, backup); err != nil {
		return err
	}
	return copyInto(ctx, from, path, now, secret.HandOver)
}

// inspect refuses the file at path, named from as drivers do, if it is no whole
// database of ours, or of another root key.
func inspect(ctx context.Context, path, from string, known []otp.KeyID) error {
	logged := hasLog(path) // before SQLite makes an empty one
	db, err := sql.Open("sqlite", from)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer db.Close()
	if !logged {
		if err := complete(ctx, path, db); err != nil {
			return err
		}
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return judged(ctx, path, err)
	}
	if verdict != "ok" {
		return ErrDamaged
	}
	var ours bool
	err = db.QueryRowContext(ctx, "SELECT count(*) = 2 FROM sqlite_schema WHERE name IN ('goose_db_version', 'otps')").Scan(&ours)
	if err != nil {
		return judged(ctx, path, err)
	}
	if !ours {
		return ErrOtherProgram
	}
	var key int64
	err = db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", registry.KeyMeta).Scan(&key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return judged(ctx, path, err)
	case known != nil && !slices.Contains(known, otp.KeyID(key)): //nolint:gosec // written from a KeyID
		return registry.ErrOtherKey
	}
	return nil
}

// hasLog reports whether a log with something in it is beside the database at
// path, or beside what a symbolic link there leads to: then the file alone may
// lack pages.
func hasLog(path string) bool {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// complete refuses a file that lacks the end of its last page: SQLite reads it as
// zeros, which integrity_check lets pass where they fall into a value. What is
// longer than its pages has all of them.
func complete(ctx context.Context, path string, db *sql.DB) error {
	var size int64
	if err := db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size); err != nil {
		return judged(ctx, path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	if info.Size() < size {
		return fmt.Errorf("%w: it has %d bytes of %d", ErrDamaged, info.Size(), size)
	}
	return nil
}

// judged is what an error of reading the file at path tells of it. A read that was
// cut off, or that the system refused, tells nothing.
func judged(ctx context.Context, path string, err error) error {
	switch resultCode(err) & 0xff {
	case sqliteNotADatabase:
		return ErrOtherProgram
	case sqliteCorrupt:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) //nolint:wrapcheck // which SQLite calls an interrupt
	}
	return caused(path, err)
}

// partialNames is the pattern of the names of copies to path that are not whole
// yet, as os.CreateTemp takes it.
func partialNames(path string) string { return "." + filepath.Base(path) + ".*.partial" }

// partialJournal is what SQLite's journal of a copy has behind the copy's name.
const partialJournal = "-journal"

// removeLeftovers deletes what copies to path left that were killed, since it
// holds recipients, but not the file keep.
func removeLeftovers(path, keep string) error {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for what an earlier restore left: %w", err)
	}
	kept, err := os.Stat(keep)
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	before, after, _ := strings.Cut(partialNames(path), "*")
	for _, e := range entries {
		name, begins := strings.CutPrefix(e.Name(), before)
		name, ends := strings.CutSuffix(strings.TrimSuffix(name, partialJournal), after)
		if !begins || !ends || name == "" || strings.Trim(name, "0123456789") != "" {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil && (!info.Mode().IsRegular() || os.SameFile(info, kept)) {
			continue
		}
		if err := errors.Join(err, os.Remove(filepath.Join(dir, e.Name()))); err != nil {
			return fmt.Errorf("delete what an earlier restore left: %w", err)
		}
	}
	return nil
}

// copyInto copies a database, named as drivers do, to a new file at path and
// quarantines the copy. made gets the file while it is empty.
func copyInto(ctx context.Context, from, path string, now time.Time, made func(*os.File)) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	partial, err := os.CreateTemp(filepath.Dir(path), partialNames(path)) // mode 0600
	if err != nil {
		return fmt.Errorf("make the copy: %w", err)
	}
	defer func() {
		_ = os.Remove(partial.Name())
		_ = os.Remove(partial.Name() + partialJournal)
	}()
	made(partial)
	if err := partial.Close(); err != nil {
		return fmt.Errorf("make the copy: %w", err)
	}
	if err := execute(ctx, from, "VACUUM INTO ?", partial.Name()); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := execute(ctx, dsn(partial.Name()), withNumbers(registry.BeginQuarantine), registry.QuarantineName, column.Micros(now)); err != nil {
		return fmt.Errorf("quarantine the copy: %w", err)
	}
	if err := synced(partial.Name()); err != nil {
		return err
	}
	// A rename would replace what somebody put there meanwhile; it is for file
	// systems without links.
	err = os.Link(partial.Name(), path)
	if err != nil && !errors.Is(err, os.ErrExist) {
		err = os.Rename(partial.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("name the copy: %w", err)
	}
	return synced(filepath.Dir(path))
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, name, statement string, args ...any) error {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it was doing
	}
	_, err = db.ExecContext(ctx, statement, args...)
	return errors.Join(err, db.Close())
}

// synced makes a file, or a directory's names, durable.
func synced(path string) error {
	f, err := os.Open(path) //nolint:gosec // the operator's
	if err != nil {
		return fmt.Errorf("sync the copy: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync the copy: %w", err)
	}
	return nil
}
