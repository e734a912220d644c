package tyntecv4_test

import (
	"os"
	"testing"

	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Both(m).Run()) }
