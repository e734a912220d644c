package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
)

func TestALinkSignsInOnceAndLeadsToThePhones(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	token := s.invite(access.Owner)
	b := s.browser()
	b.get(http.StatusOK, "/enter").has(t, `id="door"`, "data-auto")
	if a := b.post(http.StatusSeeOther, "/enter", "/enter", "token", token); a.location() != "/console/" {
		t.Errorf("the link leads to %s", a.location())
	}
	if a := b.get(http.StatusSeeOther, "/"); a.location() != "/console/phones" {
		t.Errorf("the first page is %s, want the phones", a.location())
	}
	b.get(http.StatusOK, "/phones").has(t, "Virtual phones", "Send a test code")
	// Somebody who is signed in is asked before a link changes that.
	b.get(http.StatusOK, "/enter").lacks(t, "data-auto")
	stranger := s.browser()
	stranger.post(http.StatusUnprocessableEntity, "/enter", "/enter", "token", token).
		has(t, `aria-invalid="true"`, "used before or is too old", "countersign console invite")
	stranger.get(http.StatusSeeOther, "/phones")
}

func TestALinkFromAnotherSiteReplacesNoSessionUnasked(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Support)
	token := s.invite(access.Owner)
	// The page comes without the cookie (SameSite=Strict), so it does not ask. Its
	// form comes with the cookie.
	s.browser().get(http.StatusOK, "/enter").has(t, "data-auto").lacks(t, "confirmed")
	b.post(http.StatusOK, "/enter", "/enter", "token", token).
		has(t, "You are signed in already.", `name="confirmed"`, `value="`+token+`"`).lacks(t, "data-auto")
	b.get(http.StatusOK, "/phones").has(t, "support of acme")
	b.post(http.StatusSeeOther, "/enter", "/enter", "token", token, "confirmed", "yes")
	b.get(http.StatusOK, "/phones").has(t, "owner of acme")
}

func TestWhoseAccountIsSuspendedIsToldSo(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	jo := s.enrolled(access.Owner)
	if err := s.store.SetSuspended(t.Context(), "acme", true); err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.post(http.StatusUnprocessableEntity, "/sign-in", "/sign-in", "name", "jo", "password", goodPassword, "code", jo.code()).
		has(t, "Your account is suspended.", `value="jo"`)
}

func TestWithoutASandboxThereAreNoPhones(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	s.sandboxed.Store(false)
	if a := b.get(http.StatusSeeOther, "/"); a.location() != "/console/probe" {
		t.Errorf("the first page is %s, want the next group's", a.location())
	}
	b.get(http.StatusNotFound, "/phones").lacks(t, "Virtual phones</a>")
}

func TestANewUserChoosesPasswordAndAppAndSignsInWithThem(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.enrolled(access.Owner)
	b.get(http.StatusOK, "/phones").has(t, "Welcome.", "<strong>jo</strong>").lacks(t, "local")
	b.post(http.StatusSeeOther, "/phones", "/sign-out")
	if a := b.get(http.StatusSeeOther, "/phones?x=1"); a.location() != "/console/sign-in?next=%2Fphones%3Fx%3D1" {
		t.Errorf("signed out, /phones leads to %s", a.location())
	}
	b.get(http.StatusOK, "/sign-in").has(t, "You are signed out.", `autocomplete="current-password"`, `autocomplete="one-time-code"`)
	a := b.post(http.StatusUnprocessableEntity, "/sign-in", "/sign-in", "name", "jo", "password", "wrong", "code", b.code(), "next", "/phones?x=1")
	a.has(t, "is wrong. A code works once.", `value="jo"`, `value="/phones?x=1"`).lacks(t, "wrong\"")
	a = b.post(http.StatusSeeOther, "/sign-in", "/sign-in", "name", "jo", "password", goodPassword, "code", b.code(), "next", "/phones?x=1")
	if a.location() != "/console/phones?x=1" {
		t.Errorf("signed in, the browser goes to %s", a.location())
	}
	b.get(http.StatusOK, "/phones")
}

func TestABadEnrolmentComesBackWithWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.local.Store(false)
	b := s.browser()
	token := s.invite(access.Support)
	first := b.post(http.StatusOK, "/enter", "/enter", "token", token)
	first.has(t, "You will be support of the account <strong>acme</strong>", `<svg class="qr" role="img"`)
	sealed := sealedValue.FindStringSubmatch(first.body)[1]
	b.secret = secretValue.FindStringSubmatch(first.body)[1]
	for _, c := range []struct {
		name, password, again, code string
		field, reason               string
	}{
		{"Jo", goodPassword, goodPassword, b.code(), "name", "A name has 1 to 63"},
		{"local", goodPassword, goodPassword, b.code(), "name", "This name is reserved."},
		{"jo", "short", "short", b.code(), "password", "12 characters or more, and is"},
		{"jo", goodPassword, goodPassword + "!", b.code(), "again", "The two passwords differ."},
		{"jo", goodPassword, goodPassword, "000000", "code", "The code is wrong."},
	} {
		a := b.post(
			http.StatusUnprocessableEntity, "/enter", "/enrol", "token", token, "enrolment", sealed,
			"name", c.name, "password", c.password, "again", c.again, "code", c.code,
		)
		a.has(t, `href="#f-`+c.field+`"`, `id="p-`+c.field+`"`, c.reason, `value="`+c.name+`"`, b.secret)
		a.lacks(t, goodPassword)
	}
	if has, err := s.access.HasUsers(t.Context()); err != nil || has {
		t.Errorf("HasUsers = %v, %v; want nothing changed", has, err)
	}
}

func TestTooManyFailuresSayUntilWhen(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.enrolled(access.Owner)
	b := s.browser()
	for range 10 {
		b.post(http.StatusUnprocessableEntity, "/sign-in", "/sign-in", "name", "jo", "password", "x", "code", "000000")
	}
	until := s.wall.Now().Add(30 * time.Minute).UTC().Format("15:04")
	b.post(http.StatusTooManyRequests, "/sign-in", "/sign-in", "name", "jo", "password", "x", "code", "000000").
		has(t, "Too many failures. Try again after "+until+" UTC.")
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	jo := s.enrolled(access.Owner)
	for _, next := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "javascript:alert(1)", "phones", "/%0d%0aX: y\r\nZ: a"} {
		b := s.browser()
		b.secret = jo.secret
		a := b.post(http.StatusSeeOther, "/sign-in", "/sign-in", "name", "jo", "password", goodPassword, "code", b.code(), "next", next)
		if a.location() != "/console/" {
			t.Errorf("next %q leads to %q", next, a.location())
		}
		s.wall.Add(time.Minute)
	}
}

func TestALinkFromAnotherSiteFindsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	// The browser keeps the cookie to itself (SameSite=Strict) and is asked to come
	// again by itself.
	a := s.browser().get(http.StatusOK, "/sign-in?next=%2Fphones", "Sec-Fetch-Site", "cross-site")
	if a.header.Get("Refresh") != "0" {
		t.Errorf("Refresh = %q, want 0", a.header.Get("Refresh"))
	}
	if a := s.entered(access.Owner).get(http.StatusSeeOther, "/sign-in?next=%2Fphones"); a.location() != "/console/phones" {
		t.Errorf("then the browser goes to %s", a.location())
	}
}

func TestAStolenCookieIsWorthNothingAfterSignOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	thief := b.copied()
	thief.get(http.StatusOK, "/phones")
	b.post(http.StatusSeeOther, "/phones", "/sign-out", "then", "switch")
	if a := thief.get(http.StatusSeeOther, "/phones"); !strings.HasPrefix(a.location(), "/console/sign-in") {
		t.Errorf("the stolen cookie leads to %s", a.location())
	}
}

// copied is a browser with the cookies that b has now.
func (b *browser) copied() *browser {
	b.s.t.Helper()
	at, err := url.Parse(b.s.url)
	if err != nil {
		b.s.t.Fatal(err)
	}
	c := b.s.browser()
	c.client.Jar.SetCookies(at, b.client.Jar.Cookies(at))
	return c
}

func TestTheSessionThatANewOneReplacesIsOver(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Support)
	s.expectOver("a link", b, func() {
		b.post(http.StatusSeeOther, "/enter", "/enter", "token", s.invite(access.Owner), "confirmed", "yes")
	})
	s.local.Store(false)
	jo := s.enrolled(access.Owner)
	s.expectOver("a new sign-in", jo, func() {
		jo.post(http.StatusSeeOther, "/enter", "/sign-in", "name", "jo", "password", goodPassword, "code", jo.code())
	})
	s.expectOver("a new user", jo, func() {
		token := s.invite(access.Support)
		form := jo.post(http.StatusOK, "/enter", "/enter", "token", token)
		jo.secret = secretValue.FindStringSubmatch(form.body)[1]
		jo.post(
			http.StatusSeeOther, "/enter", "/enrol", "token", token, "enrolment", sealedValue.FindStringSubmatch(form.body)[1],
			"name", "kim", "password", goodPassword, "again", goodPassword, "code", jo.code(),
		)
	})
}

// expectOver checks that b is signed in before and after f, and that its cookie
// from before is worth nothing after.
func (s *site) expectOver(what string, b *browser, f func()) {
	s.t.Helper()
	old := b.copied()
	old.get(http.StatusOK, "/phones")
	f()
	b.get(http.StatusOK, "/phones")
	if a := old.get(http.StatusSeeOther, "/phones"); !strings.HasPrefix(a.location(), "/console/sign-in") {
		s.t.Errorf("after %s the old cookie leads to %s", what, a.location())
	}
}

func TestALocalSessionEndsWhenTheDeploymentIsNoLongerLocal(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	b.get(http.StatusOK, "/phones")
	s.local.Store(false)
	b.get(http.StatusSeeOther, "/phones")
}
