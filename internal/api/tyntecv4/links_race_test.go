package tyntecv4_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// renaming calls a template "old" while templates are listed, and "new" by the
// time that the list is used.
type renaming struct {
	catalog.Store
	id   string
	left atomic.Int32 // lists to do that with
}

func (r *renaming) Templates(ctx context.Context, account string) (list []catalog.Template, err error) {
	if r.left.Add(-1) < 0 {
		return r.Store.Templates(ctx, account)
	}
	call := func(name string) error {
		return r.UpdateTemplate(ctx, account, r.id, func(t catalog.Template) (catalog.Template, error) {
			t.Name = name
			return t, nil
		})
	}
	if err := call("old"); err != nil {
		return nil, err
	}
	if list, err = r.Store.Templates(ctx, account); err != nil {
		return nil, err
	}
	return list, call("new")
}

// A link follows its template's new name (contract v4 S26) even where it is made
// while the template is being renamed: none is left that names nothing.
func TestATemplateRenamedMeanwhileLeavesNoDeadLink(t *testing.T) {
	t.Parallel()
	r := &renaming{}
	h := startWith(t, options{rules: guard.Compat(0), store: func(s testdb.Store) (verify.Store, catalog.Store) {
		r.Store = s
		return s, r
	}})
	const links = `"channels":[{"type":"VIBER","templates":[{"name":"old"}]}]`
	r.id = h.post("/templates/viber", `{"name":"old","language":"en","codeExpirationTime":3,"message":"{{otp_code}}"}`).created()
	for _, request := range []func() *response{
		func() *response { return h.post("/profiles/"+h.P2+"/templates", `{`+links+`}`) },
		func() *response { return h.post("/profiles", `{"name":"fresh",`+links+`}`) },
		func() *response { return h.patch("/profiles/"+h.P2, `{`+links+`}`) },
	} {
		r.left.Store(1)
		request().cv("channels[0].templates[0].name").says("does not exist")
		r.left.Store(100)
		equal(t, "Retry-After", request().pr(http.StatusServiceUnavailable).header.Get("Retry-After"), "1")
		equal(t, "Viber links", h.linksOf("VIBER"), 0)
	}
}

// linksOf counts the links of all profiles on a channel.
func (h *harness) linksOf(channel string) (n int) {
	h.t.Helper()
	all, err := h.store.Profiles(h.t.Context(), "a")
	h.must(err)
	for _, p := range all {
		for _, l := range p.Links {
			if string(l.Channel) == channel {
				n++
			}
		}
	}
	return n
}
