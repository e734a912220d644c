package postgres_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/store/postgres"
)

// Lanes are closed at the moment when their last work, slow or quick, is
// answered: Close returns. Where it does not, nothing can move any more, which
// synctest reports. What comes first at that moment is left to chance, often.
func TestClosingLanesEndsWhenTheirWorkDoes(t *testing.T) {
	t.Parallel()
	for _, takes := range []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond} {
		for range 3000 {
			synctest.Test(t, func(t *testing.T) {
				submit, closeAll := postgres.Lanes(func() { time.Sleep(takes) })
				if err := submit(t.Context()); err != nil {
					t.Errorf("work that takes %v = %v, want it done", takes, err)
				}
				closeAll()
			})
		}
	}
}
