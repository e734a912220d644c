package callback_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testdb.Both(m)) }
