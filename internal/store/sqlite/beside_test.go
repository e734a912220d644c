package sqlite_test

import (
	"database/sql"
	"log/slog"
	"testing"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
)

// As a command does that only looks while a server writes.
func TestWhoLooksBesideAServerWaitsForNobodyAndMovesNothingHome(t *testing.T) {
	t.Parallel()
	path := made(t)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Rest()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.BindKeys(t.Context(), 1, 1, []otp.KeyID{1}); err != nil {
		t.Fatal(err)
	}
	before := logged(t, path)
	if before.pages == 0 || before.moved > 0 {
		t.Fatalf("the log holds %d pages, %d of them moved home; want some, none moved", before.pages, before.moved)
	}
	release := bench{s, t, nil}.hold() // as a commit does that a disk takes its time for
	defer release()
	beside, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Beside: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.BindKeys(t.Context(), 1, 1, []otp.KeyID{1}); err != nil {
		t.Errorf("BindKeys of what is bound: %v", err)
	}
	if _, err := beside.Accounts(t.Context()); err != nil {
		t.Errorf("Accounts: %v", err)
	}
	if err := beside.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if after := logged(t, path); after != before {
		t.Errorf("the log was %+v and is %+v", before, after)
	}
}

type walState struct{ pages, moved int }

// logged returns what the log of a database holds.
func logged(t *testing.T, path string) (state walState) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var busy int
	if err := db.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &state.pages, &state.moved); err != nil {
		t.Fatal(err)
	}
	return state
}
