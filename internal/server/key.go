package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/secret"
)

// keyFile is the root key's file in the data directory.
const keyFile = "secret.key"

// RefusalError is a deployment that must not be opened as it is: the operator has
// to change something first.
type RefusalError struct {
	What     string // what is wrong
	Expected string // what would be right
	Err      error  // the cause, may be nil
}

func (r *RefusalError) Error() string {
	text := r.What
	if r.Err != nil {
		text += ": " + r.Err.Error()
	}
	return text + "; expected " + r.Expected
}

// Unwrap returns the cause.
func (r *RefusalError) Unwrap() error { return r.Err }

// rootKey returns the deployment's root key: the setting's, the file's, or for
// a database that does not exist yet a new one in a new file (S-01). A database
// without its key is refused: a new key could read nothing in it.
func rootKey(c config.Config) (secret.Root, error) {
	if !c.SecretKey.IsZero() {
		return c.SecretKey, nil
	}
	// The database is looked at before the key. Another process that starts now
	// makes the key first, so it cannot be that we see a database and no key.
	has, err := hasDatabase(c.DatabasePath)
	if err != nil {
		return secret.Root{}, err
	}
	path := filepath.Join(c.DataDir, keyFile)
	root, err := secret.ReadRootFile(path)
	switch {
	case err == nil:
		return root, nil
	case !errors.Is(err, fs.ErrNotExist):
		return secret.Root{}, &RefusalError{"the root key cannot be used", expectKeyFile, err}
	case has:
		return secret.Root{}, &RefusalError{
			"database " + c.DatabasePath + " exists, its key file " + path + " does not",
			"the key file that was made with the database, or COUNTERSIGN_SECRET_KEY", nil,
		}
	}
	root, err = secret.CreateRootFile(path)
	if err != nil {
		return secret.Root{}, &RefusalError{"the key file cannot be made", "a data directory that can be written to", err}
	}
	return root, nil
}

// hasDatabase reports whether there is a database file with anything in it.
func hasDatabase(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, &RefusalError{"the database cannot be read", "a file that can be read", err}
	case info.IsDir():
		return false, &RefusalError{"database " + path + " is a directory", "a file", nil}
	}
	return info.Size() > 0, nil
}
