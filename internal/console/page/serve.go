package page

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/verify"
)

// ErrNotFound is what a handler returns for something that the account does not
// have.
var ErrNotFound = errors.New("no such page")

// Bounds of a posted form (T-04). What owners change goes on to an API, whose
// bodies have that bound too; a form writes some characters of it as three.
const (
	maxForm      = 64 << 10
	maxOwnerForm = 3 * maxForm
)

// Request is a request of somebody who is signed in.
type Request struct {
	*http.Request

	Session access.Session
	Account string // the session's: what every question to a store is scoped by

	kit   *Kit
	set   *templates
	token string // of the session
	form  *Form
}

// IsOwner reports whether the user may change things.
func (r *Request) IsOwner() bool { return r.Session.Role == access.Owner }

// Proved reports whether a route that needs Fresh would let the user through.
func (r *Request) Proved() bool { return r.kit.cfg.Sessions.Proved(r.Session) }

// Partial reports whether htmx asks for a fragment.
func (r *Request) Partial() bool { return r.Header.Get("HX-Request") == "true" }

func (k *Kit) handle(pattern string, needs Needs, set *templates, h Handler) {
	method, path, _ := strings.Cut(pattern, " ")
	k.mux.HandleFunc(method+" "+k.cfg.Base+path, func(w http.ResponseWriter, hr *http.Request) {
		k.serve(w, hr, set, needs, h)
	})
}

// serve passes the gates: session, origin, role, proof.
func (k *Kit) serve(w http.ResponseWriter, hr *http.Request, set *templates, needs Needs, h Handler) {
	w.Header().Set("Cache-Control", "no-store")
	ctx := hr.Context()
	token := k.cookie(hr, sessionCookie)
	look := k.cfg.Sessions.Session
	if byItself(hr) {
		look = k.cfg.Sessions.Peek
	}
	session, err := look(ctx, token)
	switch {
	case errors.Is(err, access.ErrNotFound):
		k.askToSignIn(w, hr)
		return
	case err != nil:
		k.fail(w, &Request{Request: hr, kit: k, set: k.own}, err)
		return
	}
	r := &Request{Request: hr, Session: session, Account: session.Account, kit: k, set: set, token: token}
	if !safe(hr.Method) {
		limit := int64(maxForm)
		if r.IsOwner() {
			limit = maxOwnerForm
		}
		if !k.readForm(w, r, limit) {
			return
		}
		if !sameToken(hr.PostForm.Get(csrfField), csrfOf(token)) && !sameToken(hr.Header.Get(csrfHeader), csrfOf(token)) {
			k.refuse(w, r, http.StatusForbidden, "This form has expired", "Load the page again and repeat what you did. Nothing was changed.")
			return
		}
	}
	if needs&Owner != 0 && !r.IsOwner() {
		k.refuse(w, r, http.StatusForbidden, "Only owners may do this", "You are signed in as support, who read and do not change. Nothing was changed.")
		return
	}
	if needs&Fresh != 0 && !r.Proved() {
		k.askForProof(w, r)
		return
	}
	if err := h(w, r); err != nil {
		k.fail(w, r, err)
	}
}

// byItself reports whether a page asks without anybody there: for its stream, or
// for what the stream says has changed.
func byItself(r *http.Request) bool {
	return r.Header.Get("Accept") == "text/event-stream" || r.Header.Get(byItselfHeader) != ""
}

// readForm reads a posted form of at most limit octets. It is false after it
// wrote a page that says why it could not.
func (k *Kit) readForm(w http.ResponseWriter, r *Request, limit int64) bool {
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	err := r.ParseForm()
	if err == nil {
		return true
	}
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		k.refuse(w, r, http.StatusRequestEntityTooLarge, "The form is too long", "Go back and write less. Nothing was changed.")
	} else {
		k.refuse(w, r, http.StatusBadRequest, "The form could not be read", "Go back and try again.")
	}
	return false
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// askToSignIn sends whoever has no session to the sign-in page, which leads
// back to where they were going.
func (k *Kit) askToSignIn(w http.ResponseWriter, r *http.Request) {
	target := k.cfg.Base + "/sign-in"
	if r.Method == http.MethodGet && r.Header.Get("HX-Request") == "" && r.Header.Get("Accept") != "text/event-stream" {
		if next := strings.TrimPrefix(r.URL.RequestURI(), k.cfg.Base); next != "" && next != "/" {
			target += "?" + url.Values{"next": {next}}.Encode()
		}
	}
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if strings.HasSuffix(r.URL.Path, livePath) { // a stream cannot follow
		http.Error(w, "signed out", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// fail writes an error as a page. Here it stops travelling, so here it is
// logged.
func (k *Kit) fail(w http.ResponseWriter, r *Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, verify.ErrNotFound):
		k.refuse(w, r, http.StatusNotFound, "There is nothing here", "It may have been deleted, or belong to another account.")
	case errors.Is(err, verify.ErrUnavailable), errors.Is(err, verify.ErrOverloaded), errors.Is(err, access.ErrBusy),
		errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", "5")
		k.refuse(w, r, http.StatusServiceUnavailable, "The server cannot answer at this moment", "Try again in a few seconds.")
	case errors.Is(err, verify.ErrOutcomeUnknown):
		w.Header().Set("Retry-After", "1")
		k.refuse(w, r, http.StatusServiceUnavailable, "The outcome is not known", "What you asked for may or may not be done. Look before you repeat it.")
	case r.Context().Err() != nil: // nobody reads the answer
	default:
		k.cfg.Log.ErrorContext(r.Context(), "console request failed", slog.String("route", r.Pattern), slog.Any("err", err))
		k.refuse(w, r, http.StatusInternalServerError, "Something went wrong", "The log of the server says what.")
	}
}

// refuse writes a page that says no. To htmx it says so above the page that
// asked, which stays as it is, with what was typed.
func (k *Kit) refuse(w http.ResponseWriter, r *Request, status int, title, text string) {
	r.set = k.own
	r.form = nil
	data := struct{ Title, Text string }{title, text}
	name := layoutName
	if r.Partial() {
		name = "refusal"
		w.Header().Set("HX-Retarget", "#refusal")
		w.Header().Set("HX-Reswap", "innerHTML")
	}
	if err := r.write(w, status, "refused.html", name, data); err != nil {
		k.cfg.Log.ErrorContext(r.Context(), "console page failed", slog.Any("err", err))
		http.Error(w, title, status)
	}
}

// livePath is where events are streamed.
const livePath = "/live"

// registerOwn adds the routes of no group.
func (k *Kit) registerOwn() {
	k.mux.Handle("GET "+k.cfg.Base+"/assets/{name}", k.cfg.Assets)
	k.handle("GET "+livePath, Read, k.own, k.stream)
	k.handle("POST /unmask", Read, k.own, k.unmask)
	k.handle("GET /{$}", Read, k.own, func(w http.ResponseWriter, r *Request) error {
		links := k.Links(r.Session)
		if len(links) == 0 {
			return ErrNotFound
		}
		http.Redirect(w, r.Request, k.cfg.Base+links[0].Path, http.StatusSeeOther)
		return nil
	})
	k.mux.HandleFunc("GET "+k.cfg.Base, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, k.cfg.Base+"/", http.StatusSeeOther)
	})
}

// stream serves server-sent events.
func (k *Kit) stream(w http.ResponseWriter, r *Request) error {
	topics := r.URL.Query()["topic"]
	slices.Sort(topics)
	err := k.cfg.Hub.Serve(w, r.Request, k.sources, live.Request{
		Account: r.Account, Topics: slices.Compact(topics), LastID: r.Header.Get("Last-Event-ID"),
		Valid: func(ctx context.Context) bool {
			_, err := k.cfg.Sessions.Peek(ctx, r.token)
			return !errors.Is(err, access.ErrNotFound)
		},
	})
	if _, ok := errors.AsType[*live.UnknownTopicError](err); ok {
		return ErrNotFound
	}
	if errors.Is(err, live.ErrFull) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "no room for another live page", http.StatusServiceUnavailable)
		return nil
	}
	return err //nolint:wrapcheck // nil
}
