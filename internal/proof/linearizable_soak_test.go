//go:build soak

package proof_test

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// soakCalls is how many calls D-05 asks for.
const soakCalls = 50_000

func TestSoakHistoriesWithRestartsFitSomeOrderOfTheirCalls(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	calls, unknowns, restarts := 0, 0, 0
	for calls < soakCalls {
		r := s.record(t, s.store, histories, size{recipients: 6, clients: 8, calls: 60})
		if result := r.explain(t); result != porcupine.Ok {
			t.Fatalf("after %d calls a history of %d is %s, want some order that fits (D-05)", calls, len(r.history), result)
		}
		calls += len(r.history)
		unknowns += r.counts[unknown]
		s.reopen(t)
		restarts++
	}
	t.Logf("%d calls, %d of them with unknown outcome, %d restarts", calls, unknowns, restarts)
	s.verifiedInTime(t)
}

// reopen closes the store and opens it again.
func (s *stack) reopen(t testing.TB) {
	t.Helper()
	told := s.store.Now()
	if err := s.store.Close(); err != nil {
		t.Fatalf("close the store: %v", err)
	}
	s.wall.Add(max(0, told.Sub(s.wall.Now())))
	s.open(t)
}
