package sqlite_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/upkeep"
)

func TestReportsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	storetest.RunReports(t, func(t testing.TB, wall func() time.Time) storetest.Opened {
		s := open(t, testdb.Blank(t), wall)
		return storetest.Opened{Store: s, Purge: func(t testing.TB, keep upkeep.Retention) int {
			t.Helper()
			n, err := s.Purge(t.Context(), keep)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}}
	}, nil)
}
