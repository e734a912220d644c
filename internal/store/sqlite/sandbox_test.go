package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/storetest"
)

func TestSandboxConforms(t *testing.T) {
	t.Parallel()
	storetest.RunSandbox(t, func(t testing.TB, wall func() time.Time) storetest.SandboxStore {
		return open(t, filepath.Join(t.TempDir(), "countersign.db"), wall)
	})
}
