package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/upkeep"
)

// openFile opens the database at path and closes it when the test ends.
func openFile(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestADatabaseKeepsToTheRootKeyItWasMadeWith(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s := openFile(t, path)
	if err := s.BindKeys(t.Context(), 2, 2, []otp.KeyID{2}); err != nil {
		t.Fatal(err)
	}
	if err := openFile(t, path).BindKeys(t.Context(), 3, 3, []otp.KeyID{3}); !errors.Is(err, registry.ErrOtherKey) {
		t.Errorf("another process with another key: %v; want ErrOtherKey", err)
	}
}

// Work of others in the same commit makes the writer do it again.
func TestALostIndexKeyIsToldWhenItIsBoundTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if err := b.BindKeys(t.Context(), 2, 1, []otp.KeyID{1, 2}); err != nil {
		t.Fatal(err)
	}
	release := b.hold()
	bound, failing := make(chan error, 1), make(chan error, 1)
	go func() { bound <- b.BindKeys(t.Context(), 2, 2, []otp.KeyID{2}) }()
	b.queued(1)
	refused := errors.New("refused")
	go func() {
		failing <- b.Write(t.Context(), func(tx *sqlite.Tx) error { return errors.Join(put("test-failing")(tx), refused) })
	}()
	b.queued(2)
	release()
	if err := <-bound; !errors.Is(err, registry.ErrIndexKey) {
		t.Errorf("BindKeys beside work that failed = %v, want ErrIndexKey", err)
	}
	if err := <-failing; !errors.Is(err, refused) {
		t.Errorf("the work beside it = %v, want its own error", err)
	}
}

func TestAuditEntriesOfManyCallersMakeOneChain(t *testing.T) {
	t.Parallel()
	const callers, each = 8, 25
	s := openFile(t, filepath.Join(t.TempDir(), "c.db"))
	var wait sync.WaitGroup
	for c := range callers {
		wait.Go(func() {
			for i := range each {
				err := s.AppendAudit(t.Context(), func(seq int64, previous []byte, at time.Time) (audit.Sealed, error) {
					if (seq == 1) != (previous == nil) {
						return audit.Sealed{}, fmt.Errorf("entry %d after %q", seq, previous)
					}
					return audit.Sealed{Seq: seq, At: at, Key: 7, Text: fmt.Sprint(c, i), Link: []byte(fmt.Sprintf("%d>%s", seq, previous[:min(len(previous), 3)]))}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	var all []audit.Sealed
	for { // in pages
		page, err := s.AuditEntries(t.Context(), int64(len(all))+1, 37)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	if len(all) != callers*each {
		t.Fatalf("%d entries; want %d", len(all), callers*each)
	}
	previous := ""
	for i, e := range all {
		if want := fmt.Sprintf("%d>%s", i+1, previous[:min(len(previous), 3)]); e.Seq != int64(i+1) || string(e.Link) != want || e.Key != 7 || e.At.IsZero() {
			t.Fatalf("entry %d is %d %q; want link %q", i+1, e.Seq, e.Link, want)
		}
		previous = string(e.Link)
	}
}

func TestAnAuditEntryThatCannotBeSealedIsNotKept(t *testing.T) {
	t.Parallel()
	s := openFile(t, filepath.Join(t.TempDir(), "c.db"))
	broken := errors.New("no key")
	err := s.AppendAudit(t.Context(), func(int64, []byte, time.Time) (audit.Sealed, error) { return audit.Sealed{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("AppendAudit = %v; want seal's error", err)
	}
	if entries, err := s.AuditEntries(t.Context(), 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("entries %v, %v; want none", entries, err)
	}
}

func TestAnEmptyDatabaseHasEmptyQueues(t *testing.T) {
	t.Parallel()
	q, err := openFile(t, filepath.Join(t.TempDir(), "c.db")).Queues(t.Context())
	if err != nil || q != (upkeep.Queues{}) {
		t.Errorf("Queues = %+v, %v; want nothing", q, err)
	}
}
