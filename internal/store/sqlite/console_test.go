package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
)

func TestTheConsoleKeepsItsPromises(t *testing.T) {
	t.Parallel()
	storetest.RunConsole(t, func(t testing.TB, wall func() time.Time) storetest.ConsoleStore {
		return open(t, filepath.Join(t.TempDir(), "countersign.db"), wall)
	})
}
