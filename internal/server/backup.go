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
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// whatPostgresOffers is expected where a command copies SQLite files.
const whatPostgresOffers = "an SQLite database: PostgreSQL has pg_dump and pg_basebackup, and then countersign quarantine on"

// whatBackupMakes is expected of where a backup goes.
const whatBackupMakes = "the name of a new file"

// backer is a store that copies itself into one file.
type backer interface {
	Backup(ctx context.Context, path string) error
}

// CheckBackup refuses a Backup that cannot be: of PostgreSQL, or where a file is.
func (d *Deployment) CheckBackup(path string) error {
	if d.Config.Postgres() {
		return &RefusalError{"backup does not copy PostgreSQL databases", whatPostgresOffers, nil}
	}
	if _, err := os.Lstat(path); err == nil {
		return &RefusalError{"a file is at " + path, whatBackupMakes, nil}
	}
	return nil
}

// Backup writes a copy of the database to a new file at path while servers go
// on. The key file is not in it. It refuses what CheckBackup does.
func (d *Deployment) Backup(ctx context.Context, path string) error {
	if err := d.CheckBackup(path); err != nil {
		return err
	}
	store := d.Store
	if g, ok := store.(guarded); ok {
		store = g.Store
	}
	b, ok := store.(backer)
	if !ok {
		return fmt.Errorf("backup: %w", errors.ErrUnsupported)
	}
	err := b.Backup(ctx, path)
	if errors.Is(err, fs.ErrExist) {
		return &RefusalError{"a file is at " + path, whatBackupMakes, nil}
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// Restore makes the database of c, quarantined, from a backup: in a data
// directory that has none. keyed reports whether the root key was at hand and
// is the backup's.
func Restore(ctx context.Context, c config.Config, backup string, o Options, log *slog.Logger) (keyed bool, err error) {
	if c.Postgres() {
		return false, &RefusalError{"restore does not make PostgreSQL databases", whatPostgresOffers, nil}
	}
	c, err = prepare(ctx, c, log)
	if err != nil {
		return false, err
	}
	keys, err := givenKeys(c)
	if err != nil {
		return false, err
	}
	var known []otp.KeyID
	if keys != nil {
		known = keys.Known()
		err := sqlite.CheckIndexKey(ctx, backup, keys.IndexKey(), known)
		if refused := refuseKeys("backup "+backup, err); refused != nil {
			return false, refused
		}
	}
	opening, err := await(ctx, c.DatabasePath+".open")
	if err != nil && ctx.Err() != nil {
		return false, err
	}
	if err != nil {
		return false, &RefusalError{"database " + c.DatabasePath + " cannot be made", "a directory that can be written to", err}
	}
	defer opening.Close()
	for _, leftover := range []string{"", "-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(c.DatabasePath + leftover); err == nil {
			return false, &RefusalError{c.DatabasePath + leftover + " exists", "a data directory without a database: restore replaces none", nil}
		}
	}
	err = sqlite.Restore(ctx, backup, c.DatabasePath, known, o.now())
	for _, r := range []refusalOf{
		{registry.ErrOtherKey, "the key file that belongs to the backup, or COUNTERSIGN_SECRET_KEY"},
		{sqlite.ErrNewer, "a backup of this version or an older one"},
		{sqlite.ErrDamaged, "a whole backup; try an earlier one"},
		{sqlite.ErrOtherProgram, "a file that countersign backup made"},
		{fs.ErrNotExist, "a file that countersign backup made"},
		{fs.ErrExist, "a data directory without a database"},
		{fs.ErrPermission, "a backup that the user that this runs as may read, and a data directory that it may write to"},
	} {
		if errors.Is(err, r.err) {
			return false, &RefusalError{"backup " + backup, r.expected, err}
		}
	}
	if err != nil {
		return false, fmt.Errorf("restore: %w", err)
	}
	return known != nil, nil
}

// givenKeys are the root keys that c and its data directory have, nil if there
// are none.
func givenKeys(c config.Config) (*secret.Keyring, error) {
	root := c.SecretKey
	if root.IsZero() {
		var err error
		root, err = secret.ReadRootFile(filepath.Join(c.DataDir, keyFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, &RefusalError{"the root key cannot be used", expectKeyFile, err}
		}
	}
	keys, err := secret.NewKeyring(root, c.SecretKeys...)
	if err != nil {
		return nil, fmt.Errorf("derive keys: %w", err)
	}
	return keys, nil
}
