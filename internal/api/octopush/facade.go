package octopush

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/verify"
)

// origin marks the OTPs that this facade sent.
const origin = "octopush"

// facade is the handler of both operations.
type facade struct {
	Config

	paths map[string]map[string]route // by path, then by method
}

// route is one operation.
type route struct {
	pattern    string         // method and path
	work       admission.Work // what it asks of the database
	parameters []parameter
	handle     func(context.Context, *call) (answer, error)
}

func (f *facade) routes() []route {
	return []route{
		{"POST /v1/public/service/otp/generate", admission.Send, generateParameters, f.generate},
		{"PUT /v1/public/service/otp/validate", admission.Check, validateParameters, f.validate},
	}
}

func byPath(routes []route) map[string]map[string]route {
	paths := map[string]map[string]route{}
	for _, r := range routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		if paths[path] == nil {
			paths[path] = map[string]route{}
		}
		paths[path][method] = r
	}
	return paths
}

// call is one request that passed the gates.
type call struct {
	account account.Account
	in      input
	once    verify.Idempotency
}

// ServeHTTP answers one request.
func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := f.serve(w, r)
	if err != nil {
		f.fail(w, r, err)
		return
	}
	write(w, http.StatusOK, a)
}

// serve passes the gates of path and method, credentials, rate of the key and
// body. One trailing slash means nothing.
func (f *facade) serve(w http.ResponseWriter, r *http.Request) (answer, error) {
	methods := f.paths[strings.TrimSuffix(r.URL.Path, "/")]
	if methods == nil {
		return answer{}, errNoPath
	}
	op, ok := methods[r.Method]
	if !ok {
		e := errWrongMethod
		e.allow = strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
		return answer{}, e
	}
	r.Pattern = op.pattern
	identity, err := f.authenticate(r)
	if err != nil {
		return answer{}, err
	}
	if wait := f.Admit(identity.Key); wait > 0 {
		return answer{}, errTooMany.after(wait)
	}
	if err := f.Room(op.work); err != nil {
		return answer{}, err
	}
	raw, err := wire.ReadBody(w, r, wire.MaxBody)
	if errors.Is(err, wire.ErrTooLarge) {
		return answer{}, errTooLarge
	}
	if err != nil {
		return answer{}, errNoRequest
	}
	body, ok := parseBody(raw)
	if !ok {
		return answer{}, errNoRequest
	}
	c := &call{account: identity.Account, in: decode(op.parameters, body, settingsOf(identity.Account))}
	if c.once, err = f.once(r, c.account.Name, op.pattern, raw); err != nil {
		return answer{}, err
	}
	return op.handle(r.Context(), c)
}

// authenticate tells who calls. Two headers of one name are one list (RFC 9110
// §5.3), which no login and no key is.
func (f *facade) authenticate(r *http.Request) (account.Identity, error) {
	header := func(name string) string {
		return strings.TrimSpace(strings.Join(r.Header.Values(name), ", "))
	}
	login, key := header("api-login"), header("api-key")
	switch {
	case login == "":
		return account.Identity{}, errNoLogin
	case key == "":
		return account.Identity{}, errNoKey
	}
	identity, err := f.Accounts.AuthenticateLogin(r.Context(), login, key)
	if err != nil {
		return account.Identity{}, fmt.Errorf("authenticate: %w", err)
	}
	return identity, nil
}

// once makes what the service needs to recognise a repetition of this request
// (V-08); nothing if the client asks for none.
func (f *facade) once(r *http.Request, accountName, operation string, body []byte) (verify.Idempotency, error) {
	key, err := wire.IdempotencyKey(r.Header)
	if err != nil {
		return verify.Idempotency{}, errIdempotencyKey
	}
	if key == "" {
		return verify.Idempotency{}, nil
	}
	return f.OTPs.Fingerprint(accountName, origin+" "+operation, key, string(body)), nil
}

// fail answers with an error. Here it stops travelling, so here it is logged.
func (f *facade) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := translate(err)
	if e.status == http.StatusInternalServerError {
		f.Log.ErrorContext(r.Context(), "request failed", slog.String("route", r.Pattern), slog.Any("err", err))
	}
	if e.retry > 0 {
		w.Header().Set("Retry-After", wire.RetryAfter(e.retry))
	}
	if e.allow != "" {
		w.Header().Set("Allow", e.allow)
	}
	write(w, e.status, e.answer)
}
