package desk_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/page"
)

// What is asked for is written beside each route; this is the matrix that
// follows from it.
func TestEveryRouteLetsInWhomItSays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stranger := s.browser()
	owner, support := s.withPassword(access.Owner, "ann"), s.withPassword(access.Support, "sam")
	verdict := func(b *browser, method, path string) string {
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{"csrf": {b.csrf}}
		}
		a := b.do(method, path, form)
		switch {
		case a.status == http.StatusSeeOther && strings.HasPrefix(a.location, "/sign-in"):
			return "sign in"
		case a.status == http.StatusForbidden && strings.Contains(a.body, "Only owners may do this"):
			return "owners only"
		case a.status == http.StatusForbidden && strings.Contains(a.body, "Confirm that it is you"):
			return "prove it"
		case a.status == http.StatusForbidden, a.status >= http.StatusInternalServerError:
			return fmt.Sprint(a.status, "\n", a.body)
		}
		return "in"
	}
	for _, stale := range []bool{false, true} {
		if stale {
			s.wall.Add(access.ProofLasts + time.Second)
		}
		for pattern, needs := range s.desk.Needs() {
			method, path, _ := strings.Cut(pattern, " ")
			path = strings.ReplaceAll(path, "{id}", uuid.NewString())
			if method == http.MethodPost && needs&page.Owner == 0 && path != "/templates/preview" {
				t.Errorf("%s may be called by support, though it is no GET", pattern)
			}
			wantOwner, wantSupport := "in", "in"
			if needs&page.Fresh != 0 && stale {
				wantOwner, wantSupport = "prove it", "prove it"
			}
			if needs&page.Owner != 0 {
				wantSupport = "owners only"
			}
			for _, c := range []struct {
				who  string
				b    *browser
				want string
			}{{"a stranger", stranger, "sign in"}, {"support", support, wantSupport}, {"an owner", owner, wantOwner}} {
				if got := verdict(c.b, method, path); got != c.want {
					t.Errorf("%s by %s, password long ago %v: %s, want %s", pattern, c.who, stale, got, c.want)
				}
			}
		}
	}
	if got := s.store; got != nil {
		sealed, err := s.store.AuditEntries(t.Context(), 0, 1000)
		s.must(err)
		for _, e := range sealed {
			if strings.Contains(e.Text, "console sam") && !strings.Contains(e.Text, "console.") {
				t.Errorf("support is in the audit list with %s", e.Text)
			}
		}
	}
}

// URLs and keys ask for the password again.
func TestKeysAndURLsAskForThePasswordAgain(t *testing.T) {
	t.Parallel()
	needs := newSite(t).desk.Needs()
	for _, pattern := range []string{
		"POST /keys", "POST /keys/revoke/{id}", "POST /callbacks", "GET /callbacks/{id}/edit", "POST /callbacks/{id}/edit",
		"POST /callbacks/{id}/delete", "POST /callbacks/{id}/rotate",
	} {
		if needs[pattern]&page.Fresh == 0 {
			t.Errorf("%s does not", pattern)
		}
	}
}

func TestAFormWithoutItsTokenChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	for pattern := range s.desk.Needs() {
		method, path, _ := strings.Cut(pattern, " ")
		if method != http.MethodPost {
			continue
		}
		path = strings.ReplaceAll(path, "{id}", uuid.NewString())
		if a := owner.do(method, path, url.Values{"name": {"x"}}); a.status != http.StatusForbidden {
			t.Errorf("%s without a token = %d, want 403", pattern, a.status)
		}
		if a := owner.do(method, path, url.Values{"csrf": {owner.csrf}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
			t.Errorf("%s from another site = %d, want 403", pattern, a.status)
		}
	}
	if got := s.entries(); len(got) != 0 {
		t.Errorf("audited: %q, want nothing", got)
	}
}
