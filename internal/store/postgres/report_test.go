package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/upkeep"
)

func TestReportsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	storetest.RunReports(t, func(t testing.TB, wall func() time.Time) storetest.Opened {
		s := open(t, pgtest.URL(t), wall)
		return storetest.Opened{Store: s, Purge: func(t testing.TB, keep upkeep.Retention) int {
			t.Helper()
			n, err := s.Purge(t.Context(), keep)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}}
	}, func(t testing.TB, s storetest.ReportStore) {
		t.Helper()
		if err := s.(*postgres.Store).FoldFigures(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}
