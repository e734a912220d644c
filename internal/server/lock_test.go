//go:build unix

package server_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestASecondServerIsSoleOnlyOnceTheFirstHasClosedTheDatabase holds up the last
// checkpoint with a reader and looks at the lock meanwhile.
func TestASecondServerIsSoleOnlyOnceTheFirstHasClosedTheDatabase(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	reader, err := sqliteOf(t, dir).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM accounts").Scan(&n); err != nil {
		t.Fatal(err)
	}
	newKey(t, dir, false) // something that the reader does not see
	file, err := os.OpenFile(filepath.Join(dir, "countersign.db.lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	free := func() bool {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			t.Fatal(err)
		}
		return err == nil
	}
	go r.cancel()
	eventually(t, "the server has stopped serving", func() bool { return strings.Contains(r.log.String(), "msg=stopped") }, r.log.String)
	for range 100 {
		if free() {
			t.Error("the lock was free before the database was closed")
			break
		}
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if !free() {
		t.Error("the lock is held after the end")
	}
}
