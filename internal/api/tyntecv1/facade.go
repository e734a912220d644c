package tyntecv1

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/verify"
)

// origin marks the OTPs that this facade sent.
const origin = "v1"

// facade is the handler of all operations.
type facade struct {
	Config
	paths wire.Paths[*route]
}

// New returns the handler of everything under /2fa/v1. It takes the query out
// of each request before it does anything else, since keys, codes, numbers and
// texts travel there: nothing that looks at the request later can print them
// (K-04). It leaves the pattern of the operation in Request.Pattern, also where
// it refuses the key.
func New(c Config) http.Handler {
	f := &facade{Config: c.withDefaults()}
	for _, r := range f.routes() {
		f.paths.Add(r.pattern, &r)
	}
	return f
}

// call is one request on its way through the gates.
type call struct {
	account account.Account
	route   *route
	id      string // in the path, as received, unescaped
	params  params

	w http.ResponseWriter
	r *http.Request
}

// reply is what an operation answers when nothing is wrong.
type reply struct {
	status    int
	body      any // nil for an empty body
	truncated bool
}

// ServeHTTP answers one request.
func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	c := &call{w: w, r: r}
	answer, err := f.serve(ctx, c)
	if err != nil {
		f.fail(ctx, c, err)
		return
	}
	if answer.truncated {
		w.Header().Set("X-Result-Truncated", "true")
	}
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	body, err := wire.EncodeJSON(answer.body)
	if err != nil {
		f.fail(ctx, c, err)
		return
	}
	write(w, answer.status, body)
}

// serve passes the gates.
func (f *facade) serve(ctx context.Context, c *call) (reply, error) {
	query := takeQuery(c.r)
	found, ids := f.paths.Find(c.r.URL.EscapedPath())
	if found != nil {
		c.route = found.Operation(c.r.Method)
	}
	if c.route != nil { // before the key: whoever counts requests counts those that it stops by their route
		c.r.Pattern = c.route.pattern
	}
	identity, err := f.Accounts.Authenticate(ctx, keyOf(c.r.Header, query))
	if err != nil {
		return reply{}, fmt.Errorf("authenticate: %w", err)
	}
	c.account = identity.Account
	if wait := f.Admit(identity.Key); wait > 0 {
		return reply{}, throttled(wait)
	}
	if found == nil {
		return reply{}, errPath
	}
	if c.route == nil {
		return reply{}, apiError{
			status: http.StatusMethodNotAllowed, code: codeMissing, message: "No such method on this path.", allow: strings.Join(found.Methods(), ", "),
		}
	}
	if len(ids) > 0 {
		c.id = ids[0] // no path has more
	}
	if err := f.Room(c.route.work); err != nil {
		return reply{}, err
	}
	if err := c.read(query); err != nil {
		return reply{}, err
	}
	return c.route.handle(ctx, c)
}

// takeQuery removes the query from the request, in place, and returns it.
func takeQuery(r *http.Request) string {
	query := r.URL.RawQuery
	r.URL.RawQuery, r.URL.ForceQuery = "", false
	r.RequestURI = r.URL.RequestURI()
	return query
}

// keyName is the documented spelling in the query.
const keyName = "apiKey"

// keyOf returns the API key. A header decides alone, even an empty one.
func keyOf(h http.Header, query string) string {
	if len(h.Values(keyName)) > 0 {
		return wire.List(h, keyName)
	}
	return pick(encodedPairs(query), keyName)
}

// read reads the operation's parameters. Those of GET are not in a body, which
// may be no larger for that.
func (c *call) read(query string) error {
	var body []byte
	var err error
	if c.r.Method == http.MethodGet {
		err = wire.PassBody(c.w, c.r, wire.MaxBody)
	} else {
		body, err = wire.ReadBody(c.w, c.r, wire.MaxBody)
	}
	if errors.Is(err, wire.ErrTooLarge) {
		return errTooLarge
	}
	if err != nil {
		return errBody
	}
	c.params, err = decode(c.route.parameters, query, c.r.Header.Get("Content-Type"), body)
	return err
}

// ref names the path's OTP. An id that is no UUID names none.
func (c *call) ref() (verify.Ref, error) {
	id, ok := wire.CanonicalID(c.id)
	if !ok {
		return verify.Ref{}, errOTP
	}
	return verify.Ref{Account: c.account.Name, Origin: origin, ID: id}, nil
}

// once makes what the service needs to recognise a repetition of this request
// (V-08); nothing if the client asks for none. How the parameters were sent
// makes no difference.
func (f *facade) once(c *call) (verify.Idempotency, error) {
	key, err := wire.IdempotencyKey(c.r.Header)
	if err != nil {
		return verify.Idempotency{}, errIdempotency
	}
	if key == "" {
		return verify.Idempotency{}, nil
	}
	parts := []string{strings.ToLower(c.id)}
	for _, name := range c.route.parameters {
		parts = append(parts, c.params[name])
	}
	return f.Verify.Fingerprint(c.account.Name, origin+" "+c.route.pattern, key, parts...), nil
}

// errorBody is contract v1 §2.1.
type errorBody struct {
	Message   string `json:"message"`
	Code      string `json:"code"`
	Timestamp int64  `json:"timestamp"`
}

// fail answers with an error. Here it stops travelling, so here it is logged.
func (f *facade) fail(ctx context.Context, c *call, err error) {
	e := translate(err)
	if e.status == http.StatusInternalServerError {
		f.Log.ErrorContext(ctx, "request failed", slog.String("route", c.r.Pattern), slog.Any("err", err))
	}
	h := c.w.Header()
	if e.code == codeKey {
		h.Set("WWW-Authenticate", `ApiKey realm="2fa"`)
	}
	if e.retry > 0 {
		h.Set("Retry-After", wire.RetryAfter(e.retry))
	}
	if e.allow != "" {
		h.Set("Allow", e.allow)
	}
	body, err := wire.EncodeJSON(errorBody{e.message, e.code, f.Now().UnixMilli()})
	if err != nil { // its members are strings and a number
		f.Log.ErrorContext(ctx, "encode error body", slog.Any("err", err))
	}
	write(c.w, e.status, body)
}

// write sends an answer with a body. That the client has gone is no error of
// ours.
func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
