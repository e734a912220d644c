package catalog_test

import (
	"testing"

	"github.com/countersign/countersign/internal/catalog"
)

// either is a WhatsApp of several, by account reference.
type either struct {
	catalog.WhatsApp
	by map[string]catalog.WhatsApp
}

func (w either) Chosen(_, accountRef string) catalog.WhatsApp { return w.by[accountRef] }

func TestEachOfSeveralWhatsAppsIsRememberedOrAskedAsItsKindIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := &near{}, &far{templates: statuses("APPROVED")}
	w := either{by: map[string]catalog.WhatsApp{"here": here, "there": there}}
	for range 3 {
		f.approved(t, w, "acme", "here")
		f.approved(t, w, "acme", "there")
	}
	if here.lists.Load() != 3 || there.lists.Load() != 1 {
		t.Errorf("asked here %d times, there %d times; want 3 and 1", here.lists.Load(), there.lists.Load())
	}
}
