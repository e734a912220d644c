package delivery_test

import (
	"testing"

	"github.com/countersign/countersign/internal/delivery"
)

func TestOnlyTheClassesOfARefusalCanBeNamed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]delivery.Class{
		"RETRY": delivery.Retry, "PERMANENT": delivery.Permanent, "CONFIG": delivery.Config,
		"ACCEPTED": 0, "UNCERTAIN": 0, "DEFERRED": 0, "INVALID": 0, "retry": 0, "Retry": 0, "": 0,
	} {
		if got, ok := delivery.ParseClass(name); got != want || ok != (want != 0) {
			t.Errorf("ParseClass(%q) = %v, %v; want %v", name, got, ok, want)
		}
	}
}
