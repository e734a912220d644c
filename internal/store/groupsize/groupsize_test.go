package groupsize_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/groupsize"
)

func TestGroupsShrinkWhereTheyTakeLongAndGrowWhereFullOnesAreQuick(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	s := groupsize.New(8, 256, 50*ms)
	for i, c := range []struct {
		callers int
		took    time.Duration
		want    int
	}{
		{256, 50 * ms, 256},  // as wanted
		{40, 200 * ms, 10},   // four times too long
		{8, time.Second, 10}, // slow for another reason
		{10, 30 * ms, 10},    // neither long nor quick
		{9, ms, 10},          // quick, but not full
		{10, ms, 20},
		{20, time.Second, 8}, // no smaller
		{8, ms, 16},
		{200, ms, 32},
		{32, ms, 64},
		{64, ms, 128},
		{128, ms, 256},
		{256, ms, 256}, // no larger
	} {
		s.Took(c.callers, c.took)
		if got := s.Max(); got != c.want {
			t.Errorf("%d: after a group of %d that took %v the next may carry %d, want %d", i, c.callers, c.took, got, c.want)
		}
	}
}
