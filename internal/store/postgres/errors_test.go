package postgres_test

import (
	"testing"

	"github.com/countersign/countersign/internal/store/postgres"
)

func TestAStateSaysWhetherTheServerCannotWorkJustNow(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"08006": true, "53300": true, "57P01": true, "58030": true, "XX000": true, "55P03": true, "25006": true, "40001": true,
		"23505": false, "42501": false, "22021": false,
		// Of poolers and proxies, and of what is no error of the server's.
		"": false, "X": false,
	} {
		if got := postgres.Transient(state); got != want {
			t.Errorf("%q is transient = %v, want %v", state, got, want)
		}
	}
}
