package postgres_test

import (
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/store/postgres"
)

// One of the others may stand still.
func TestTheNewestPrimaryIsTriedFirst(t *testing.T) {
	t.Parallel()
	servers := []string{"a.example:5432", "b.example:5433", "c.example:5434"}
	for _, primary := range servers {
		got, err := postgres.Preferred("postgres://u@a.example:5432,b.example:5433,c.example:5434/db?sslmode=disable", primary)
		if err != nil {
			t.Fatal(err)
		}
		if got[0] != primary {
			t.Errorf("with the primary at %s the first to try is %s", primary, got[0])
		}
		if slices.Sort(got); !slices.Equal(got, servers) {
			t.Errorf("with the primary at %s these are tried: %v; want %v", primary, got, servers)
		}
	}
}
