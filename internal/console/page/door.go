package page

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
)

// Door adds a route for those who are not signed in. Its Request has no
// session; its forms are tied to the browser by a cookie.
func (r *Routes) Door(pattern string, h Handler) {
	method, path, _ := strings.Cut(pattern, " ")
	k := r.kit
	k.mux.HandleFunc(method+" "+k.cfg.Base+path, func(w http.ResponseWriter, hr *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		token := k.cookie(hr, doorCookie)
		q := &Request{Request: hr, kit: k, set: r.set, token: token}
		if !safe(hr.Method) {
			if !k.readForm(w, q, maxForm) {
				return
			}
			if token == "" || !sameToken(hr.PostForm.Get(csrfField), csrfOf(token)) {
				k.refuse(w, q, http.StatusForbidden, "This form has expired", "Load the page again and repeat what you did. Cookies have to be allowed.")
				return
			}
		} else if token == "" {
			q.token = rand.Text()
			k.setCookie(w, doorCookie, q.token)
		}
		if err := h(w, q); err != nil {
			k.fail(w, q, err)
		}
	})
}

// HasSession reports whether the browser is signed in, on a page of a Door.
func (r *Request) HasSession() bool {
	_, err := r.kit.cfg.Sessions.Peek(r.Context(), r.SessionToken())
	return err == nil
}

// SessionToken is what the browser brings of a session, live or over; "" if
// nothing.
func (r *Request) SessionToken() string { return r.kit.cookie(r.Request, sessionCookie) }

// SetSession signs the browser in, or out with "".
func (r *Request) SetSession(w http.ResponseWriter, token string) {
	r.kit.setCookie(w, sessionCookie, token)
}

// Next returns a path below the base that a person wanted to go to, "/" if text
// is none of ours.
func (r *Request) Next(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(text, "/") ||
		strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n") {
		return "/"
	}
	return text
}
