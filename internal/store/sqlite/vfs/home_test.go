package vfs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/internal/store/sqlite/vfs"
)

// Pages are moved home while the writer goes on, in several checkpoints of more
// than one slice each, and once more when it has ended.
func TestACheckpointLeavesTheFileThatItWouldLeaveWithout(t *testing.T) {
	t.Parallel()
	gently, err := vfs.Checkpointer()
	if err != nil {
		t.Fatal(err)
	}
	var files [2][]byte
	for i, name := range []string{"", gently} {
		path := filepath.Join(t.TempDir(), "test.db")
		c := open(t, path, "")
		other := open(t, path, name)
		do(t, c, "CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
		for n := range 2000 {
			do(t, c, fmt.Sprintf("INSERT INTO t VALUES (%d, zeroblob(%d))", n*7919%100_003, 1000+n))
			if n%400 == 399 {
				do(t, other, "PRAGMA wal_checkpoint(PASSIVE)")
			}
		}
		do(t, c, "DELETE FROM t WHERE n % 3 = 0")
		do(t, other, "PRAGMA wal_checkpoint(TRUNCATE)")
		if left := number(t, c, "SELECT count(*) FROM t"); left == 0 || left == 2000 {
			t.Fatalf("%d rows are left", left)
		}
		if size := stat(t, path+"-wal"); size != 0 {
			t.Errorf("the log holds %d bytes", size)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		forgetCounter(file)
		files[i] = file
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Errorf("the files differ: %d and %d bytes", len(files[0]), len(files[1]))
	}
}

func stat(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
