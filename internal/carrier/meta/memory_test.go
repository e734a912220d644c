package meta_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/meta"
)

func TestAMemoryForgetsTheOldestFirstAndTakesNoMoreThanItHolds(t *testing.T) {
	t.Parallel()
	var m meta.Memory
	noon := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for n := range meta.MaxRemembered + 1 {
		m.Add(n, noon.Add(time.Duration(n)*time.Millisecond), time.Hour)
	}
	full := noon.Add(time.Minute)
	if !m.Has(0, full) || !m.Has(meta.MaxRemembered-1, full) || m.Has(meta.MaxRemembered, full) {
		t.Error("a full memory forgot something, or took more")
	}
	m.Add(0, full, time.Hour) // known already: for longer
	over := noon.Add(time.Hour + time.Millisecond)
	if !m.Has(0, over) || m.Has(1, over) || !m.Has(2, over) {
		t.Error("an hour and a millisecond later not just key 1 is forgotten")
	}
	m.Add(-1, over, time.Hour)
	m.Add(-2, over, time.Hour)
	if !m.Has(-1, over) || m.Has(-2, over) {
		t.Error("one place was free: want it taken by the first")
	}
}
