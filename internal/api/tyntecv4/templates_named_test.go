package tyntecv4_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// lists counts how often all templates are read.
type lists struct {
	testdb.Store

	n atomic.Int64
}

func (l *lists) Templates(ctx context.Context, account string) ([]catalog.Template, error) {
	l.n.Add(1)
	return l.Store.Templates(ctx, account)
}

// There may be thousands.
func TestATemplateIsFoundByItsNameWithoutAllTheOthers(t *testing.T) {
	t.Parallel()
	var store lists
	h := startWith(t, options{store: func(s testdb.Store) (verify.Store, catalog.Store) {
		store.Store = s
		return s, &store
	}})
	before := store.n.Load()
	for query, want := range map[string][]any{
		"?name=login_sms_de":             {"login_sms_de"},
		"?name=login_sms_de&language=de": {"login_sms_de"},
		"?name=login_sms_de&language=en": {},
		"?name=Login_sms_de":             {},
		"?name=login_sms":                {},
	} {
		equal(t, query, h.get("/templates/sms"+query).status(http.StatusOK).members("name"), want)
	}
	equal(t, "of another channel", h.get("/templates/voice?name=login_sms_de").status(http.StatusOK).members("name"), []any{})
	if n := store.n.Load() - before; n != 0 {
		t.Errorf("all templates were read %d times; want never", n)
	}
}
