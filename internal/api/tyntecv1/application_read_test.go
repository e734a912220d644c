package tyntecv1_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// lists counts how often all applications are read.
type lists struct {
	testdb.Store

	n atomic.Int64
}

func (l *lists) Applications(ctx context.Context, account string) ([]catalog.Application, error) {
	l.n.Add(1)
	return l.Store.Applications(ctx, account)
}

// There may be thousands.
func TestAnApplicationIsReadWithoutAllTheOthers(t *testing.T) {
	t.Parallel()
	var store lists
	h := startWith(t, options{store: func(s testdb.Store) (verify.Store, catalog.Store) {
		store.Store = s
		return s, &store
	}})
	id := h.application(`{"name":"one"}`)
	standard, _ := h.get(applications + "/default").object()["applicationId"].(string)
	before := store.n.Load()
	h.get(applications+"/"+id).is(200).has("name", "one")
	h.get(applications+"/"+standard).is(200).has("name", "default")
	h.get(applications+"/6f1d2c34-5b7a-4e90-8c21-0a9b8c7d6e5f").refused(404, "1920")
	h.delete(applications + "/" + id).is(200)
	if n := store.n.Load() - before; n != 0 {
		t.Errorf("all applications were read %d times; want never", n)
	}
}
