package vfs_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/countersign/countersign/internal/store/sqlite/vfs"
)

// buffered is the VFS with the buffer.
func buffered(t *testing.T) string {
	t.Helper()
	name, err := vfs.Writer()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// open opens a database through a VFS, "" for the default one.
func open(t *testing.T, path, name string) *sqlite.Conn {
	t.Helper()
	q := url.Values{}
	if name != "" {
		q.Set("vfs", name)
	}
	c, err := sqlite.OpenConn("file:"+path+"?"+q.Encode(), sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenURI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)"} {
		do(t, c, "PRAGMA "+p)
	}
	return c
}

func do(t *testing.T, c *sqlite.Conn, query string) {
	t.Helper()
	if err := sqlitex.ExecuteTransient(c, query, nil); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, c *sqlite.Conn, query string) (n int64) {
	t.Helper()
	err := sqlitex.ExecuteTransient(c, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		n = s.ColumnInt64(0)
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestTheLogIsWhatItWouldBeWithout(t *testing.T) {
	t.Parallel()
	var logs [2][]byte
	for i, name := range []string{"", buffered(t)} {
		path := filepath.Join(t.TempDir(), "test.db")
		c := open(t, path, name)
		do(t, c, "CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
		for n := range 50 {
			do(t, c, "BEGIN IMMEDIATE")
			for k := range n * 10 { // up to two million bytes in one commit
				do(t, c, fmt.Sprintf("INSERT INTO t VALUES (%d, zeroblob(%d))", n*1000+k, 3000+k))
			}
			do(t, c, "COMMIT")
		}
		log, err := os.ReadFile(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		logs[i] = log
	}
	// Frames carry salts and sums that differ each time; what is where does not.
	const header, frame, prefix = 32, 24 + 4096, 8
	if len(logs[0]) != len(logs[1]) {
		t.Fatalf("the log has %d bytes, %d without the buffer", len(logs[1]), len(logs[0]))
	}
	for at := header; at < len(logs[0]); at += frame {
		a, b := logs[0][at:at+frame], logs[1][at:at+frame]
		for _, f := range [][]byte{a, b} {
			if binary.BigEndian.Uint32(f) == 1 {
				forgetCounter(f[24:])
			}
		}
		if !bytes.Equal(a[:prefix], b[:prefix]) || !bytes.Equal(a[24:], b[24:]) {
			t.Fatalf("the frame at %d differs", at)
		}
	}
}

// forgetCounter blanks the file's change counter in a database's first page,
// and the copy of it (https://www.sqlite.org/fileformat.html §1.3.7, §1.3.19).
// With a log it counts how often the connection had to read that page again,
// and the connections of a process take pages of their caches from each other.
func forgetCounter(page []byte) {
	clear(page[24:28])
	clear(page[92:96])
}

func TestOthersSeeACommitAsSoonAsItIsMade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	c := open(t, path, buffered(t))
	do(t, c, "CREATE TABLE t (n INTEGER)")
	reader := open(t, path, "")
	for n := range int64(200) {
		do(t, c, "INSERT INTO t VALUES (1)")
		if got := number(t, reader, "SELECT count(*) FROM t"); got != n+1 {
			t.Fatalf("another connection counts %d rows after commit %d", got, n+1)
		}
		if n%50 == 49 { // the log starts over
			do(t, c, "PRAGMA wal_checkpoint(RESTART)")
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := number(t, reader, "SELECT count(*) FROM t"); got != 200 {
		t.Errorf("%d rows after closing; want 200", got)
	}
}

// A transaction that outgrows the cache is written to the log before it is
// committed, and is read back from there.
func TestAConnectionReadsWhatItsOwnTransactionSpilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	c := open(t, path, buffered(t))
	do(t, c, "PRAGMA cache_size(10)")
	do(t, c, "CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
	do(t, c, "BEGIN IMMEDIATE")
	for n := range 300 {
		do(t, c, fmt.Sprintf("INSERT INTO t VALUES (%d, zeroblob(2000))", n))
		if n%10 == 0 {
			if got := number(t, c, "SELECT sum(length(b)) FROM t"); got != int64(n+1)*2000 {
				t.Fatalf("the transaction reads %d bytes after %d rows", got, n+1)
			}
		}
	}
	do(t, c, "ROLLBACK")
	if got := number(t, c, "SELECT count(*) FROM t"); got != 0 {
		t.Errorf("%d rows after rolling back; want none", got)
	}
	do(t, c, "INSERT INTO t VALUES (1, zeroblob(10))")
	if got := number(t, open(t, path, ""), "SELECT count(*) FROM t"); got != 1 {
		t.Errorf("another connection counts %d rows; want 1", got)
	}
}
