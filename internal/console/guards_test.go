package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

// inline are what the policy of the pages forbids; each would be a violation in
// a browser.
var inline = []*regexp.Regexp{
	regexp.MustCompile(`(?i)<style`), regexp.MustCompile(`(?i)\sstyle=`), regexp.MustCompile(`(?i)\son[a-z]+=`),
	regexp.MustCompile(`(?i)<script(?:\s+(?:defer|async|type="[^"]*"))*>`), regexp.MustCompile(`(?i)javascript:`),
	regexp.MustCompile(`(?i)hx-on`), regexp.MustCompile(`(?i)(?:src|href|action)="(?:https?:)?//`), regexp.MustCompile(`(?i)src="data:`),
}

// guarded checks what every page has to have.
func guarded(t *testing.T, what string, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", what, name, got, want)
		}
	}
	policy := a.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%s: the policy %q lacks %s", what, policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("%s: the policy is %q", what, policy)
	}
	for _, forbidden := range inline {
		if found := forbidden.FindString(a.body); found != "" {
			t.Errorf("%s has %q inline", what, found)
		}
	}
}

func TestEveryPageInEveryStateIsGuardedAndHasNothingInline(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	owner, support, stranger := s.entered(access.Owner), s.entered(access.Support), s.browser()
	guarded(t, "no phone", owner.get(http.StatusOK, "/phones"))
	for channel, text := range map[message.Channel]string{
		message.SMS: "Your code is #", message.Voice: "Your code is #", message.WhatsApp: "*#* is your code", message.Viber: "code #", message.Email: "Hello <b>\n#",
	} {
		s.arrive("acme", someNumber, channel, text)
	}
	key := phoneKey.FindStringSubmatch(owner.get(http.StatusOK, "/phones").body)[1]
	guarded(t, "sign-in", stranger.get(http.StatusOK, "/sign-in"))
	guarded(t, "enter", stranger.get(http.StatusOK, "/enter"))
	guarded(t, "a used link", stranger.post(http.StatusUnprocessableEntity, "/enter", "/enter", "token", "x"))
	guarded(t, "signed out", stranger.get(http.StatusSeeOther, "/phones"))
	for name, b := range map[string]*browser{"owner": owner, "support": support} {
		for _, path := range []string{"/phones", "/phones/wall", "/phones/" + key, "/phones/" + key + "/screen", "/probe"} {
			guarded(t, name+" "+path, b.get(http.StatusOK, path))
		}
		guarded(t, name+" nowhere", b.get(http.StatusNotFound, "/nowhere"))
		guarded(t, name+" no such phone", b.get(http.StatusNotFound, "/phones/"+strings.Repeat("0", 31)+"1"))
	}
	guarded(t, "a bad form", owner.post(http.StatusUnprocessableEntity, "/phones", "/phones", "to", "nobody", "via", "sms"))
	guarded(t, "a refused form", support.post(http.StatusForbidden, "/phones", "/phones", "to", someNumber, "via", "sms"))
	guarded(t, "unmasked", support.post(http.StatusOK, "/probe", "/unmask", "ref", maskedRef.FindStringSubmatch(support.get(http.StatusOK, "/probe").body)[1]))
	s.local.Store(false)
	guarded(t, "enrolment", stranger.post(http.StatusOK, "/enter", "/enter", "token", s.invite(access.Owner)))
}

var (
	phoneKey  = regexp.MustCompile(`/console/phones/([0-9a-f]{32})"`)
	maskedRef = regexp.MustCompile(`name="ref" value="([^"]+)"`)
)

func TestTheCookieIsTheHostsOwnOverTLSAndPlainOnLoopback(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		s := newSite(t, secure)
		b := s.browser()
		a := b.post(http.StatusSeeOther, "/enter", "/enter", "token", s.invite(access.Owner))
		want := "countersign-console="
		if secure {
			want = "__Host-countersign-console="
		}
		found := false
		for _, c := range a.header.Values("Set-Cookie") {
			if !strings.HasPrefix(c, want) {
				continue
			}
			found = true
			for _, part := range []string{"; HttpOnly", "; SameSite=Strict", "; Path=/"} {
				if !strings.Contains(c, part) {
					t.Errorf("the cookie %q lacks %s", c, part)
				}
			}
			if strings.Contains(c, "; Secure") != secure || strings.Contains(c, "Domain") || strings.Contains(c, "Expires") {
				t.Errorf("the cookie is %q; secure %v", c, secure)
			}
		}
		if !found {
			t.Errorf("no cookie %s in %q", want, a.header.Values("Set-Cookie"))
		}
		if got := a.header.Get("Strict-Transport-Security") != ""; got != secure {
			t.Errorf("Strict-Transport-Security is %v, want %v", got, secure)
		}
		b.get(http.StatusOK, "/phones")
	}
}

func TestAPostFromElsewhereIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	form := func() url.Values { return url.Values{"csrf": {b.token("/probe")}, "name": {"good"}} }
	for _, c := range []struct {
		what    string
		form    url.Values
		headers []string
		want    int
	}{
		{"our own page", form(), []string{"Sec-Fetch-Site", "same-origin", "Origin", strings.TrimSuffix(s.url, "/console")}, http.StatusSeeOther},
		{"another site", form(), []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"a sister site", form(), []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"another origin, an old browser", form(), []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a sandboxed frame", form(), []string{"Origin", "null"}, http.StatusForbidden},
		{"no token", url.Values{"name": {"good"}}, nil, http.StatusForbidden},
		{"another's token", url.Values{"csrf": {s.entered(access.Owner).token("/probe")}, "name": {"good"}}, nil, http.StatusForbidden},
	} {
		if a := b.do(http.MethodPost, "/probe/change", c.form, c.headers...); a.status != c.want {
			t.Errorf("%s = %d, want %d", c.what, a.status, c.want)
		}
	}
	// Signing in too: a forged sign-in would put somebody into another's account.
	stranger := s.browser()
	token := s.invite(access.Owner)
	if a := stranger.do(http.MethodPost, "/enter", url.Values{"token": {token}}); a.status != http.StatusForbidden {
		t.Errorf("a link posted without our form = %d, want 403", a.status)
	}
	stranger.post(http.StatusSeeOther, "/enter", "/enter", "token", token)
}

func TestSupportReadsAndDoesNotChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	b := s.entered(access.Support)
	key := phoneKey.FindStringSubmatch(b.get(http.StatusOK, "/phones").lacks(t, "Send a test code").body)[1]
	b.get(http.StatusOK, "/phones/"+key).lacks(t, "Arrive late", "Send a test code")
	b.get(http.StatusForbidden, "/probe/keys").has(t, "Only owners may do this")
	for _, path := range []string{"/phones", "/phones/" + key + "/order", "/phones/" + key + "/check", "/probe/change", "/probe/secret"} {
		b.post(http.StatusForbidden, "/probe", path, "does", "refuse", "name", "good").has(t, "Only owners may do this")
	}
	if orders, err := s.orders.Of(t.Context(), "acme"); err != nil || len(orders) != 0 {
		t.Errorf("orders = %v, %v; want none", orders, err)
	}
	b.get(http.StatusOK, "/probe").has(t, ">Probe</a>").lacks(t, ">Keys</a>", "<form method=\"post\" action=\"/console/probe/change\"")
}

func TestSupportSeesNumbersMaskedAndUnmaskingLeavesATrace(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	owner, support := s.entered(access.Owner), s.entered(access.Support)
	for _, path := range []string{"/phones", "/phones/wall", "/probe"} {
		owner.get(http.StatusOK, path).has(t, "&#43;4915112345678").lacks(t, `action="/console/unmask"`)
		support.get(http.StatusOK, path).has(t, "&#43;49…78", `aria-label="Show &#43;49…78 in full"`).lacks(t, "15112345678")
	}
	ref := maskedRef.FindStringSubmatch(support.get(http.StatusOK, "/probe").body)[1]
	if strings.Contains(s.audited(), "unmask") {
		t.Error("looking at a masked number is audited as unmasking")
	}
	for what, b := range map[string]*browser{"another session": s.entered(access.Support), "an owner": owner} {
		if a := b.post(http.StatusNotFound, "/probe", "/unmask", "ref", ref); strings.Contains(a.body, "15112345678") {
			t.Errorf("%s unmasks a number that was shown to somebody else", what)
		}
	}
	support.post(http.StatusNotFound, "/probe", "/unmask", "ref", "AAAA")
	if strings.Contains(s.audited(), "unmask") {
		t.Error("what showed nothing is audited as unmasking")
	}
	support.post(http.StatusOK, "/probe", "/unmask", "ref", ref).has(t, "&#43;4915112345678")
	audited := s.audited()
	if !strings.Contains(audited, `"action":"unmask","actor":"console local","account":"acme","subject":"`) || strings.Contains(audited, "15112345678") {
		t.Errorf("the audit list is\n%s", audited)
	}
	fragment := support.do(http.MethodPost, "/unmask", url.Values{"ref": {ref}}, "HX-Request", "true", "X-CSRF-Token", support.token("/probe"))
	if strings.Contains(fragment.body, "<html") || !strings.Contains(fragment.body, "&#43;4915112345678") {
		t.Errorf("a fragment of a page is %d %s", fragment.status, fragment.body)
	}
	if n := strings.Count(s.audited(), `"unmask"`); n != 2 {
		t.Errorf("%d unmaskings audited, want 2", n)
	}
	if n, err := s.audit.Verify(t.Context()); err != nil || n == 0 {
		t.Errorf("the audit list: %d, %v", n, err)
	}
}

func TestAnotherAccountsMessagesAreNotThere(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("other", someNumber, message.SMS, "Your secret is #")
	b := s.entered(access.Owner)
	b.get(http.StatusOK, "/phones").has(t, "No message has come yet").lacks(t, "secret")
	to := s.keyOf(someNumber)
	b.get(http.StatusNotFound, "/phones/"+to)
	b.get(http.StatusOK, "/phones/"+to+"/screen").lacks(t, "secret")
}
