package underway_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/store/underway"
)

func TestCloseWaitsForAllThatWasBegun(t *testing.T) {
	t.Parallel()
	var g underway.Group
	var begun, ended atomic.Int32
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for g.Go(func() { ended.Add(1) }) {
				begun.Add(1)
			}
		})
	}
	g.Close()
	after := ended.Load()
	callers.Wait()
	if begun.Load() != after || ended.Load() != after {
		t.Errorf("%d were begun, %d had ended with Close and %d in the end; want the same number", begun.Load(), after, ended.Load())
	}
	if g.Go(func() {}) {
		t.Error("a closed group began something")
	}
}
