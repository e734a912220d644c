package console_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
)

// the token counts also where the browser says that the request is from
// our own pages.
func TestTheTokenInTheHeaderHasToBeTheSessionsOwn(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	own, another := b.token("/probe"), s.entered(access.Owner).token("/probe")
	for _, c := range []struct {
		what, token string
		want        int
	}{
		{"no token", "", http.StatusForbidden},
		{"a token made up", "x", http.StatusForbidden},
		{"another session's", another, http.StatusForbidden},
		{"that of no cookie", emptyToken(), http.StatusForbidden},
		{"our own, cut", own[:len(own)-1], http.StatusForbidden},
		{"our own", own, http.StatusNoContent},
	} {
		headers := append(s.sameOrigin(), "HX-Request", "true", "X-CSRF-Token", c.token)
		if a := b.do(http.MethodPost, "/probe/change", url.Values{"name": {"good"}}, headers...); a.status != c.want {
			t.Errorf("%s in the header = %d, want %d", c.what, a.status, c.want)
		}
		if c.want != http.StatusForbidden {
			continue
		}
		if a := b.do(http.MethodPost, "/probe/change", url.Values{"name": {"good"}, "csrf": {c.token}}, s.sameOrigin()...); a.status != c.want {
			t.Errorf("%s in the form = %d, want %d", c.what, a.status, c.want)
		}
	}
}

// The token of an empty cookie is known to everybody.
func TestADoorTakesNoFormWithoutItsCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	token := s.invite(access.Owner)
	for what, cookie := range map[string]string{"no cookie": "", "an empty cookie": "countersign-door="} {
		for path, form := range map[string]url.Values{
			"/enter": {"token": {token}}, "/sign-in": {"name": {"jo"}, "password": {goodPassword}, "code": {"000000"}},
		} {
			for _, csrf := range []string{"", emptyToken(), s.browser().token("/enter")} {
				form.Set("csrf", csrf)
				headers := s.sameOrigin()
				if cookie != "" {
					headers = append(headers, "Cookie", cookie)
				}
				a := s.browser().do(http.MethodPost, path, form, headers...)
				if a.status != http.StatusForbidden || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), "countersign-console=") {
					t.Errorf("POST %s with %s and the token %q = %d, want 403 and no session", path, what, csrf, a.status)
				}
			}
		}
	}
	s.browser().post(http.StatusSeeOther, "/enter", "/enter", "token", token) // it was not used
}

// sameOrigin are what browsers send from our own pages.
func (s *site) sameOrigin() []string {
	return []string{"Sec-Fetch-Site", "same-origin", "Origin", strings.TrimSuffix(s.url, "/console")}
}

// emptyToken is what a form would carry for an empty cookie, as anybody can
// work it out.
func emptyToken() string {
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte("countersign console form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
