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

// ErrDisk means that the disk kept the database from being opened or made: the
// file itself may be all right.
var ErrDisk = errors.New("the disk is full or failed")

// unopened is caused for a database that is written to while it is opened. What
// the disk refused is ErrDisk too, and fs.ErrPermission where that is why.
func unopened(path string, err error) error {
	switch resultCode(err) & 0xff {
	case sqliteFull, sqliteIOErr:
		return fmt.Errorf("%w: %w", ErrDisk, err)
	case sqliteReadOnly:
		if refused := Writable(path); refused != nil {
			return fmt.Errorf("%w: %w: %w", ErrDisk, err, refused)
		}
	}
	return caused(path, err)
}

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

// belonging says whose a file is, or which rights it has where it is ours.
func belonging(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	uid, ok := secret.Owner(info)
	if !ok {
		return ""
	}
	if uid == os.Geteuid() {
		return fmt.Sprintf(", which has mode %04o", info.Mode().Perm())
	}
	return ", which belongs to user " + strconv.Itoa(uid) + " while this runs as " + strconv.Itoa(os.Geteuid())
}

// exhausted is EMFILE or ENFILE if descriptors are not to be had. Pipes need no
// file, not even /dev/null, which a bare root directory lacks.
func exhausted() error {
	for range descriptors / 2 {
		r, w, err := os.Pipe()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return err //nolint:wrapcheck // the caller says what it was doing
		}
		if err != nil {
			return nil // for another reason, which says nothing of the database
		}
		defer r.Close()
		defer w.Close()
	}
	return nil
}
