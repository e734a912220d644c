package console_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

// keyOf stands for a number in URLs.
func (s *site) keyOf(to string) string {
	s.t.Helper()
	recipient, err := phone.ParseRecipient(to)
	if err != nil {
		s.t.Fatal(err)
	}
	key := s.inbox.KeyOf(recipient)
	return hex.EncodeToString(key[:])
}

func TestABadFormComesBackWithWhatWasTypedTheFieldMarkedAndTheReasonBesideIt(t *testing.T) {
	t.Parallel()
	b := newSite(t, false).entered(access.Owner)
	b.post(http.StatusUnprocessableEntity, "/probe", "/probe/change", "name", `"bad" <b>`, "kind", "b", "loud", "yes", "text", "two\nlines", "secret", "swordfish").
		has(
			t, `role="alert"`, `<a href="#f-name">This name is not good.</a>`, `value="&#34;bad&#34; &lt;b&gt;"`,
			`aria-invalid="true" autofocus aria-describedby="h-name p-name"`, `<p class="problem" id="p-name">This name is not good.</p>`,
			`<option value="b" selected>Second</option>`, `name="loud" value="yes" checked`, "two\nlines</textarea>",
		).lacks(t, "swordfish", "<b>")
}

func TestAMessageForTheNextPageIsShownOnce(t *testing.T) {
	t.Parallel()
	b := newSite(t, false).entered(access.Owner)
	b.post(http.StatusSeeOther, "/probe", "/probe/change", "name", "good")
	b.get(http.StatusOK, "/probe").has(t, `<p class="flash good" role="status">It was changed.</p>`)
	b.get(http.StatusOK, "/probe").lacks(t, "It was changed.")
}

func TestWhatNeedsThePasswordAgainWaitsForIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.enrolled(access.Owner)
	b.get(http.StatusOK, "/probe/keys")
	s.wall.Add(access.ProofLasts)
	b.get(http.StatusForbidden, "/probe/keys").has(t, "Confirm that it is you", `name="target" value="/probe/keys"`)
	b.post(http.StatusUnprocessableEntity, "/probe", "/prove", "target", "/probe/keys", "password", "wrong", "code", b.code()).
		has(t, "is wrong", `name="target" value="/probe/keys"`)

	form := b.post(http.StatusForbidden, "/probe", "/probe/secret", "name", "one", "name", "two & three")
	form.has(t, `name="kept.name" value="one"`, `name="kept.name" value="two &amp; three"`, `name="target" value="/probe/secret"`)
	s.wall.Add(time.Minute)
	proceed := b.post(
		http.StatusOK, "/probe", "/prove", "target", "/probe/secret", "post", "true",
		"kept.name", "one", "kept.name", "two & three", "password", goodPassword, "code", b.code(),
	)
	proceed.has(t, `action="/console/probe/secret" data-submit`, `name="name" value="one"`, `name="name" value="two &amp; three"`).lacks(t, goodPassword)
	b.post(http.StatusSeeOther, "/probe", "/probe/secret", "name", "one", "name", "two & three")
	b.get(http.StatusOK, "/probe").has(t, "Made one and two &amp; three.")
	b.get(http.StatusOK, "/probe/keys")

	s.wall.Add(access.ProofLasts)
	if a := b.post(http.StatusSeeOther, "/probe", "/prove", "target", "//evil.example", "password", goodPassword, "code", b.code()); a.location() != "/console/" {
		t.Errorf("proof leads to %s", a.location())
	}
}

func TestErrorsBecomePagesThatSayNothingOfTheCause(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	for _, c := range []struct {
		err    error
		status int
		title  string
		retry  string
	}{
		{fmt.Errorf("read: %w", verify.ErrUnavailable), http.StatusServiceUnavailable, "cannot answer at this moment", "5"},
		{verify.ErrOutcomeUnknown, http.StatusServiceUnavailable, "The outcome is not known", "1"},
		{verify.ErrNotFound, http.StatusNotFound, "There is nothing here", ""},
		{errProbe, http.StatusInternalServerError, "Something went wrong", ""},
	} {
		s.probe.fail = c.err
		a := b.get(c.status, "/probe").has(t, c.title).lacks(t, errProbe.Error())
		if got := a.header.Get("Retry-After"); got != c.retry {
			t.Errorf("%v: Retry-After %q, want %q", c.err, got, c.retry)
		}
		guarded(t, c.title, a)
	}
}

func TestTimesAndFiguresReadWell(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	if err := s.store.SetSettings(t.Context(), "acme", map[string]string{"timezone": "Europe/Berlin"}); err != nil {
		t.Fatal(err)
	}
	s.entered(access.Owner).get(http.StatusOK, "/probe").
		has(t, `<time datetime="2026-01-01T00:00:00Z">2026-01-01 01:00:00</time>`, "1\u202f234\u202f567", "/console/otps/a%2Fb", `aria-current="page">Probe`)
}

var assetPath = regexp.MustCompile(`(?:href|src)="(/console/assets/[^"]+)"`)

func TestAssetsCarryTheirChecksumAndAreKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.browser()
	found := assetPath.FindAllStringSubmatch(b.get(http.StatusOK, "/sign-in").body, -1)
	if len(found) < 4 {
		t.Fatalf("the page has %d assets, want the icon, the style sheet and two scripts", len(found))
	}
	for _, m := range found {
		a := b.get(http.StatusOK, m[1])
		if got := a.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" || a.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: Cache-Control %q", m[1], got)
		}
		if a.body == "" || strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: %d octets of %s", m[1], len(a.body), a.header.Get("Content-Type"))
		}
		dot := strings.LastIndexByte(m[1], '.')
		other := m[1][:dot-16] + strings.Repeat("0", 16) + m[1][dot:]
		b.get(http.StatusNotFound, other)
	}
	b.get(http.StatusNotFound, "/assets/console.css")
	b.get(http.StatusNotFound, "/assets/..%2Fassets.go")
}

func TestAnOversizedFormIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	owner, support, stranger := s.entered(access.Owner), s.entered(access.Support), s.browser()
	for _, c := range []struct {
		who         string
		b           *browser
		form, at    string
		size, wants int
	}{
		{"somebody before the door", stranger, "/enter", "/enter", 60 << 10, http.StatusUnprocessableEntity},
		{"somebody before the door", stranger, "/enter", "/enter", 65 << 10, http.StatusRequestEntityTooLarge},
		{"support", support, "/probe", "/probe/change", 60 << 10, http.StatusForbidden},
		{"support", support, "/probe", "/probe/change", 65 << 10, http.StatusRequestEntityTooLarge},
		{"an owner", owner, "/probe", "/probe/change", 190 << 10, http.StatusSeeOther},
		{"an owner", owner, "/probe", "/probe/change", 193 << 10, http.StatusRequestEntityTooLarge},
	} {
		a := c.b.do(http.MethodPost, c.at, url.Values{"csrf": {c.b.token(c.form)}, "name": {"good"}, "more": {strings.Repeat("x", c.size)}})
		if a.status != c.wants {
			t.Errorf("a form of %d octets by %s = %d, want %d", c.size, c.who, a.status, c.wants)
		}
	}
}

func TestHTMXIsSentToSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	a := s.browser().get(http.StatusUnauthorized, "/phones/wall", "HX-Request", "true")
	if got := a.header.Get("HX-Redirect"); got != "/console/sign-in" {
		t.Errorf("HX-Redirect %q", got)
	}
}
