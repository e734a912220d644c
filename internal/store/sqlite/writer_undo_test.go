package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// Else whoever tries what is refused makes others pay a sync each (D-08, D-14).
func TestARefusalThatChangedNothingUndoesNobodysWork(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	locked := [16]byte{1}
	for name, refuse := range map[string]func(bench) error{
		"a try of a locked name": func(b bench) error {
			_, err := b.CountTry(context.Background(), locked, 1, time.Hour)
			if _, ok := errors.AsType[*access.LockedError](err); !ok {
				return fmt.Errorf("CountTry = %w, want LockedError", err)
			}
			return nil
		},
		"a statement that finds no row": func(b bench) error {
			err := b.Write(context.Background(), func(tx *sqlite.Tx) error {
				if _, err := tx.Exec("UPDATE meta SET value = 2 WHERE name = 'test-none'"); err != nil {
					return err
				}
				return refused
			})
			if !errors.Is(err, refused) {
				return err
			}
			return nil
		},
		"an invite that is not there": func(b bench) error {
			_, err := b.Enrol(context.Background(), [32]byte{1}, access.User{ID: "u"}, access.Session{})
			if !errors.Is(err, access.ErrNotFound) {
				return fmt.Errorf("Enrol = %w, want ErrNotFound", err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if _, err := b.CountTry(t.Context(), locked, 1, time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := b.Write(t.Context(), func(tx *sqlite.Tx) error { // what tries remove by the way
				_, err := tx.Exec("INSERT INTO console_tries (key, tries, last_at, locked_until) VALUES (x'02', 1, 1, 0)")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			release := b.hold()
			var ran [20]int
			var wg sync.WaitGroup
			for i := range ran {
				wg.Go(func() {
					if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
						ran[i]++
						return put(fmt.Sprintf("test-%02d", i))(tx)
					}); err != nil {
						t.Errorf("Write: %v", err)
					}
				})
			}
			b.queued(len(ran)) // the refused is the last
			wg.Go(func() {
				if err := refuse(b); err != nil {
					t.Error(err)
				}
			})
			b.queued(len(ran) + 1)
			release()
			wg.Wait()
			if want := [20]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}; ran != want {
				t.Errorf("the others' work ran %v times, want once each", ran)
			}
		})
	}
}

// What it changed is not always what it names.
func TestAFailingJobIsUndoneHoweverItWrote(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, statement := range map[string]string{
		"a trigger":   "INSERT INTO shown VALUES (1)",
		"a returning": "INSERT INTO meta (name, value) VALUES ('test-returning', 1) RETURNING value",
		"half of it":  "INSERT OR FAIL INTO meta (name, value) VALUES ('test-half', 1), ('test-half', 2)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
				for _, s := range []string{
					"CREATE TABLE shown (n)",
					"CREATE TRIGGER show AFTER INSERT ON shown BEGIN INSERT INTO meta (name, value) VALUES ('test-trigger', 1); END",
				} {
					if _, err := tx.Exec(s); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
				var err error
				if name == "a returning" {
					err = tx.Returning(func(int64) error { return nil }, statement)
				} else {
					_, err = tx.Exec(statement)
				}
				return errors.Join(err, refused)
			})
			if !errors.Is(err, refused) {
				t.Errorf("Write = %v, want its own error", err)
			}
			if got := b.rows(); len(got) > 0 {
				t.Errorf("%v is left of work that failed", got)
			}
		})
	}
}
