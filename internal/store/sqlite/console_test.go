package sqlite_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestTheConsoleKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunConsole(t, func(t testing.TB, wall func() time.Time) storetest.ConsoleStore {
		return open(t, testdb.Blank(t), wall)
	})
}
