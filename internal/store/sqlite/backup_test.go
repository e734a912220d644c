package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/sqlite"
)

// noon is when tests restore.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// restore restores from into a directory of its own and returns what is in that
// afterwards.
func restore(ctx context.Context, t *testing.T, from string) (left []string, err error) {
	t.Helper()
	dir := t.TempDir()
	err = sqlite.Restore(ctx, from, filepath.Join(dir, "c.db"), nil, noon)
	return entriesOf(t, dir), err
}

func entriesOf(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func shorten(t *testing.T, path string, octets int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-octets)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// SQLite reads what the last page lacks as zeros, which would be told as the
// values that were there.
func TestAFileThatLacksItsEndIsDamagedHoweverLittleIsMissing(t *testing.T) {
	t.Parallel()
	for _, octets := range []int64{1, 2, 4095, 4096, 5000} {
		path := made(t)
		shorten(t, path, octets)
		if left, err := restore(t.Context(), t, path); !errors.Is(err, sqlite.ErrDamaged) || len(left) > 0 {
			t.Errorf("Restore of a file that lacks %d bytes = %v and left %v; want ErrDamaged and nothing", octets, err, left)
		}
		if err := sqlite.Inspect(t.Context(), path, nil); !errors.Is(err, sqlite.ErrDamaged) {
			t.Errorf("Inspect of a file that lacks %d bytes = %v; want ErrDamaged", octets, err)
		}
	}
}

func TestAFileWhosePagesAreInItsLogIsWhole(t *testing.T) {
	t.Parallel()
	path := killed(t, made(t), "CREATE TABLE more (b BLOB)", "INSERT INTO more VALUES (randomblob(100000))")
	if left, err := restore(t.Context(), t, path); err != nil || !slices.Contains(left, "c.db") {
		t.Errorf("Restore = %v, made %v; want c.db", err, left)
	}
	if err := sqlite.Inspect(t.Context(), path, nil); err != nil {
		t.Errorf("Inspect = %v; want nil", err)
	}
}

func TestAFileIsAsWholeByASymbolicLinkAsByItsName(t *testing.T) {
	t.Parallel()
	path := killed(t, made(t), "CREATE TABLE more (b BLOB)", "INSERT INTO more VALUES (randomblob(100000))")
	before := files(t, path)
	link := filepath.Join(t.TempDir(), "latest.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Inspect(t.Context(), link, nil); err != nil {
		t.Errorf("Inspect = %v; want nil", err)
	}
	if !maps.EqualFunc(before, files(t, path), bytes.Equal) {
		t.Error("Inspect changed the file, or what is beside it")
	}
	if left, err := restore(t.Context(), t, link); err != nil || !slices.Contains(left, "c.db") {
		t.Errorf("Restore = %v, made %v; want c.db", err, left)
	}
}

func TestAFileThatCouldNotBeReadIsNotCalledDamaged(t *testing.T) {
	t.Parallel()
	unreadable := made(t)
	if err := os.Mkdir(unreadable+"-journal", 0o700); err != nil { // which SQLite has to read before
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	whole := made(t)
	_, restored := restore(t.Context(), t, unreadable)
	_, cut := restore(ended, t, whole)
	for _, c := range []struct {
		name string
		err  error
		ends bool
	}{
		{"Restore of a file that the system does not read", restored, false},
		{"Inspect of a file that the system does not read", sqlite.Inspect(t.Context(), unreadable, nil), false},
		{"Restore that was interrupted", cut, true},
		{"Inspect that was interrupted", sqlite.Inspect(ended, whole, nil), true},
	} {
		if c.err == nil || errors.Is(c.err, sqlite.ErrDamaged) || errors.Is(c.err, sqlite.ErrOtherProgram) || errors.Is(c.err, context.Canceled) != c.ends {
			t.Errorf("%s = %v; want an error that tells why and says nothing of what is in the file", c.name, c.err)
		}
	}
}

func TestRestoreDeletesWhatRestoresThatWereKilledLeftAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "c.db")
	for range 2 {
		f, err := os.CreateTemp(dir, sqlite.PartialNames(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Close(), os.WriteFile(f.Name()+"-journal", []byte("+4915112345678"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	others := []string{".c.db.20261123", ".c.db.20261123.partial.old", ".c.db.old.1.partial", ".c.db.partial", "c.db.1.partial"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the operator's"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	backup := filepath.Join(dir, ".c.db.7.partial") // somebody's last resort
	if err := openFile(t, made(t)).Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Restore(t.Context(), backup, path, nil, noon); err != nil {
		t.Fatal(err)
	}
	want := append([]string{"c.db", filepath.Base(backup)}, others...)
	slices.Sort(want)
	if got := entriesOf(t, dir); !slices.Equal(got, want) {
		t.Errorf("beside the restored database are\n%q\nwant\n%q", got, want)
	}
}
