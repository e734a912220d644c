package postgres_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/storetest"
)

func TestTheConsoleKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunConsole(t, func(t testing.TB, wall func() time.Time) storetest.ConsoleStore {
		return open(t, pgtest.URL(t), wall)
	})
}
