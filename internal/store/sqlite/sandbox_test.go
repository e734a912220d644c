package sqlite_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestSandboxConforms(t *testing.T) {
	t.Parallel()
	storetest.RunSandbox(t, func(t testing.TB, wall func() time.Time) storetest.SandboxStore {
		return open(t, testdb.Blank(t), wall)
	})
}
