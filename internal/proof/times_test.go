package proof_test

import (
	"slices"
	"testing"
	"time"
)

// within holds what took a time to a limit of a promise, in the soak. Beside
// other tests, on a machine that may do something else most of the time, times
// are chance: there they are only told.
func within(t testing.TB, what string, took, limit time.Duration, promise string) {
	t.Helper()
	t.Logf("%s took %v, at most %v are promised (%s)", what, took.Round(time.Millisecond), limit, promise)
	if timesCount && took > limit {
		t.Errorf("%s took %v, want %v at most (%s)", what, took, limit, promise)
	}
}

// quantile is the least duration that at least q of all are within.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
