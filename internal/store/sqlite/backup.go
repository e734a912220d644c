package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// Backup writes a copy of the database, as it is at one moment, to a new file
// at path, mode 0600, while the database is used. The copy is quarantined: who
// opens it, restored or not, sends nothing until it is released. Until Backup
// returns nil there is no file at path; fs.ErrExist if there is one already.
func (s *Store) Backup(ctx context.Context, path string) error {
	return copyInto(ctx, dsn(s.path, "wal_autocheckpoint(0)"), path, s.Now(), func(*os.File) {})
}

// Inspect refuses a file that is no whole database of this version, or of a
// root key that is not among known: ErrDamaged, ErrOtherProgram, registry.ErrOtherKey,
// ErrNewer or ErrOlder.
func Inspect(ctx context.Context, path string, known []otp.KeyID) error {
	if err := inspect(ctx, looking(path), known); err != nil {
		return err
	}
	_, err := examine(ctx, path, mustNotMigrate)
	return err
}

// Restore makes a quarantined database at path from a backup; one that root makes
// belongs to the directory's owner. known are the
// root keys that are at hand, nil if that is not known: a backup that was
// written under another is refused with registry.ErrOtherKey. Further errors are
// ErrDamaged, ErrOtherProgram, ErrNewer and fs.ErrExist; after each of them
// there is nothing at path that was not there before.
func Restore(ctx context.Context, backup, path string, known []otp.KeyID, now time.Time) error {
	if info, err := os.Stat(backup); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	} else if info.IsDir() || info.Size() == 0 {
		return fmt.Errorf("read the backup: %w", ErrOtherProgram)
	}
	from := dsn(backup) + "&mode=ro"
	if err := inspect(ctx, from, known); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	if _, err := examine(ctx, backup, mayMigrate); err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	return copyInto(ctx, from, path, now, secret.HandOver)
}

// inspect refuses what is no whole database of ours, or of another root key.
func inspect(ctx context.Context, from string, known []otp.KeyID) error {
	db, err := sql.Open("sqlite", from)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		if resultCode(err)&0xff == sqliteNotADatabase {
			return ErrOtherProgram
		}
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if verdict != "ok" {
		return ErrDamaged
	}
	var ours bool
	err = db.QueryRowContext(ctx, "SELECT count(*) = 2 FROM sqlite_schema WHERE name IN ('goose_db_version', 'otps')").Scan(&ours)
	if err != nil || !ours {
		return errors.Join(ErrOtherProgram, err)
	}
	var key int64
	err = db.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", registry.KeyMeta).Scan(&key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case known != nil && !slices.Contains(known, otp.KeyID(key)): //nolint:gosec // written from a KeyID
		return registry.ErrOtherKey
	}
	return nil
}

// copyInto copies a database, named as drivers do, to a new file at path and
// quarantines the copy. made gets the file while it is empty.
func copyInto(ctx context.Context, from, path string, now time.Time, made func(*os.File)) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	partial, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("make the copy: %w", err)
	}
	defer func() {
		_ = os.Remove(partial.Name())
		_ = os.Remove(partial.Name() + "-journal")
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
