package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

// The cookies, without the prefix that those over TLS have.
const (
	sessionCookie = "countersign-console"
	flashCookie   = "countersign-flash"
	doorCookie    = "countersign-door" // ties the forms of those who are not signed in to their browser
)

// What carries the token of a form.
const (
	csrfField  = "csrf"
	csrfHeader = "X-CSRF-Token"
)

// byItselfHeader is on what a page's script asks for by itself: it does not count
// as use of the session.
const byItselfHeader = "X-By-Itself"

func (k *Kit) cookieName(name string) string {
	if k.cfg.Secure {
		return "__Host-" + name
	}
	return name
}

func (k *Kit) cookie(r *http.Request, name string) string {
	c, err := r.Cookie(k.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that lasts until the browser is closed; an empty value
// removes it.
func (k *Kit) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{ //nolint:gosec // without Secure on loopback only (A-02)
		Name: k.cookieName(name), Value: value, Path: "/", Secure: k.cfg.Secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// csrfOf is the token of the forms of a session: a keyed hash of the session's
// own, so that it is kept nowhere.
func csrfOf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("countersign console form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func sameToken(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// Flash is a message that the next page shows once.
type Flash struct {
	Kind string // "good" or "bad"
	Text string // no personal data: it passes through a cookie
}

func (k *Kit) setFlash(w http.ResponseWriter, f Flash) {
	if f.Text != "" {
		k.setCookie(w, flashCookie, base64.RawURLEncoding.EncodeToString([]byte(f.Kind+"\n"+f.Text)))
	}
}

// takeFlash returns the message for this page and removes it.
func (k *Kit) takeFlash(w http.ResponseWriter, r *http.Request) Flash {
	value := k.cookie(r, flashCookie)
	if value == "" {
		return Flash{}
	}
	k.setCookie(w, flashCookie, "")
	text, err := base64.RawURLEncoding.DecodeString(value)
	kind, said, ok := strings.Cut(string(text), "\n")
	if err != nil || !ok || kind != "good" && kind != "bad" {
		return Flash{}
	}
	return Flash{kind, said}
}
