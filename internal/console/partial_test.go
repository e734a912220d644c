package console_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

func TestARefusalOfAPartOfAPageIsNoPageWithinThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	b.get(http.StatusOK, "/probe").has(t, `<div class="lost" id="refusal" role="alert"></div>`)
	for _, c := range []struct {
		err    error
		status int
		title  string
	}{
		{verify.ErrNotFound, http.StatusNotFound, "There is nothing here"},
		{verify.ErrUnavailable, http.StatusServiceUnavailable, "The server cannot answer at this moment"},
		{errProbe, http.StatusInternalServerError, "Something went wrong"},
	} {
		s.probe.fail = c.err
		b.get(c.status, "/probe").has(t, "<!doctype html>", c.title)
		part := b.get(c.status, "/probe", "HX-Request", "true").has(t, c.title).lacks(t, "<!doctype html>", "<header", "<nav", "<h1")
		if to, how := part.header.Get("HX-Retarget"), part.header.Get("HX-Reswap"); to != "#refusal" || how != "innerHTML" {
			t.Errorf("%v goes to %q by %q, want above the page", c.err, to, how)
		}
	}
}

func TestAnAddressBreaksWhereALineEndsAndANumberDoesNot(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	s.arrive("acme", "jo@example.com", message.Email, "Your code is #")
	for _, role := range []access.Role{access.Owner, access.Support} {
		a := s.entered(role).get(http.StatusOK, "/phones")
		for class, part := range map[string]string{"number": "49", "number mail": "@"} {
			if !regexp.MustCompile(`<bdi class="` + class + `">[^<]*(` + part + `)`).MatchString(a.body) {
				t.Errorf("%s sees no %q", role, class)
			}
		}
	}
}
