package testdb

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// Dir is a directory of the test's own for what stands on a store: in memory
// where there is room, as the PostgreSQL cluster that tests share, and for the
// same reason. It is removed with the test.
func Dir(t testing.TB) string {
	t.Helper()
	below := pgtest.Memory()
	if below == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(below, "countersign-") //nolint:usetesting // below a directory of our choice
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the test's directory: %v", err)
		}
	})
	return dir
}

// Blank puts an SQLite database of this version with nothing in it into a
// directory of the test's own and returns its path.
func Blank(t testing.TB) string {
	t.Helper()
	path := filepath.Join(Dir(t), "countersign.db")
	PutBlank(t, path)
	return path
}

// PutBlank is Blank at a path.
func PutBlank(t testing.TB, path string) {
	t.Helper()
	content, err := blank()
	if err != nil {
		t.Fatalf("make a blank database: %v", err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("write a blank database: %v", err)
	}
}

// blank is made once for all tests: setting a database up takes as much
// processor time as many a test, and a sync for each migration. An empty one is
// set up without Migrate too.
var blank = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "countersign-blank-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "countersign.db")
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("set it up: %w", err)
	}
	if err := s.Close(); err != nil {
		return nil, fmt.Errorf("close it: %w", err)
	}
	return os.ReadFile(path) //nolint:gosec // it is ours
})
