package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/countersign/countersign/internal/secret"
)

// descriptors are as many as an open database needs, and a few for what else
// the process does. Less than that many free ones are why one cannot be opened.
const descriptors = 16

// caused adds to an error of opening the database at path why the system refused
// it, which SQLite does not say: fs.ErrPermission or syscall.EMFILE. Other errors
// stay what they are.
func caused(path string, err error) error {
	if resultCode(err)&0xff != sqliteCantOpen {
		return err
	}
	// No lock of this process is dropped by closing them: it could not open them.
	for _, part := range []string{"", "-wal", "-shm"} {
		f, refused := os.OpenFile(path+part, os.O_RDWR, 0) //nolint:gosec // the operator names it
		if refused == nil {
			_ = f.Close()
		}
		if errors.Is(refused, fs.ErrPermission) {
			return fmt.Errorf("%w: %w%s", err, refused, belonging(path+part))
		}
	}
	if refused := exhausted(); refused != nil {
		return fmt.Errorf("%w: %w", err, refused)
	}
	return err
}

// belonging says whose a file is.
func belonging(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	uid, ok := secret.Owner(info)
	if !ok {
		return ""
	}
	return ", which belongs to user " + strconv.Itoa(uid) + " while this runs as " + strconv.Itoa(os.Geteuid())
}

// exhausted is EMFILE or ENFILE if descriptors are not to be had.
func exhausted() error {
	for range descriptors {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return err //nolint:wrapcheck // the caller says what it was doing
		}
		if err != nil {
			return nil // for another reason, which says nothing of the database
		}
		defer f.Close()
	}
	return nil
}
