package sqlite_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/countersign/countersign/internal/store/sqlite"
)

const noCheckpoint = `"level":"WARN","msg":"checkpoint"`

func TestThatCheckpointsFailIsToldOnce(t *testing.T) {
	t.Parallel()
	log := &wallLog{}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: made(t), Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CloseUpkeep(); err != nil {
		t.Fatal(err)
	}
	var r sqlite.Rounds
	for range 5 {
		r.Next(t.Context(), s)
	}
	if n := log.count(noCheckpoint); n < 1 || n > 2 { // the store's own rounds go on beside these
		t.Errorf("5 rounds that failed gave %d warnings, want one of each who does rounds", n)
	}
}

// On a full disk the log can be looked at, but not be moved home.
func TestThatCheckpointsFailIsToldAnewOnlyAfterOneSucceeded(t *testing.T) {
	t.Parallel()
	log := &wallLog{}
	var r sqlite.Rounds
	full := errors.New("full")
	for i, round := range []struct {
		looked bool
		err    error
		told   int
	}{
		{false, nil, 0},
		{false, full, 1},
		{false, full, 1},
		{true, nil, 1},
		{false, full, 1},
		{false, nil, 1},
		{true, nil, 1},
		{false, full, 2},
	} {
		r.Tell(t.Context(), slog.New(slog.NewJSONHandler(log, nil)), round.looked, round.err)
		if n := log.count(noCheckpoint); n != round.told {
			t.Errorf("after round %d: %d warnings, want %d", i, n, round.told)
		}
	}
}
