package tyntecv4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/wire"
)

// origin marks the OTPs that this facade sent.
const origin = "v4"

// keyHeader is apiKey in the letter case that net/http gives to headers: it
// makes a copy of any other.
const keyHeader = "Apikey"

// facade is the handler of all operations.
type facade struct {
	Config
	paths wire.Paths[*route]
}

// New returns the handler of everything under /2fa/v4. It routes by the escaped
// path: hand it requests without cleaning their paths, or a percent-encoded
// slash in a name is lost. It leaves the pattern of the operation in
// Request.Pattern, also where it refuses the key.
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
	params  []string // as received, unescaped, in the order of the path

	w http.ResponseWriter
	r *http.Request

	bodySize int // octets that the body may have
}

// reply is what an operation answers when nothing is wrong.
type reply struct {
	status    int
	body      any // nil for an empty body
	truncated bool
}

// created is the body that names a new resource.
type created struct {
	ID string `json:"id"` // a UUID
}

// appendJSON implements literal.
func (c created) appendJSON(b []byte) []byte {
	return append(append(append(b, `{"id":"`...), c.ID...), `"}`...)
}

// literal is a body of nothing but fixed words and UUIDs, which needs no
// encoder: the answers to sends and checks.
type literal interface {
	// appendJSON appends what encoding/json would write.
	appendJSON(b []byte) []byte
}

// ServeHTTP answers one request.
func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	c := &call{w: w, r: r, bodySize: f.Limits.BodySize}
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
	body, err := encode(answer.body)
	if err != nil {
		f.fail(ctx, c, err)
		return
	}
	write(w, answer.status, "application/json", body)
}

// serve passes the gates of key, rate, path and method.
func (f *facade) serve(ctx context.Context, c *call) (reply, error) {
	fromQuery := wire.TakeQuery(c.r, "apiKey")
	found, params := f.paths.Find(c.r.URL.EscapedPath())
	var op *route
	if found != nil {
		op = found.Operation(c.r.Method)
	}
	if op != nil { // before the key: whoever counts requests counts those that it stops by their route
		c.r.Pattern = op.pattern
	}
	key := wire.List(c.r.Header, keyHeader)
	if key == "" && f.AllowQueryKey {
		key = fromQuery
	}
	identity, err := f.Accounts.Authenticate(ctx, key)
	if err != nil {
		return reply{}, fmt.Errorf("authenticate: %w", err)
	}
	c.account = identity.Account
	if wait := f.Admit(identity.Key); wait > 0 {
		return reply{}, problemError{Status: http.StatusTooManyRequests, Detail: "Too many calls with this API key", retry: wait}.plain()
	}
	if found == nil {
		return reply{}, problemError{Status: http.StatusNotFound, Detail: "No such path"}.plain()
	}
	if op == nil {
		allow := strings.Join(slices.Sorted(slices.Values(found.Methods())), ", ")
		return reply{}, problemError{Status: http.StatusMethodNotAllowed, Detail: "No such method on this path", allow: allow}.plain()
	}
	c.route, c.params = op, params
	if err := f.Room(op.work); err != nil {
		return reply{}, err
	}
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodDelete { // the others read their body
		if err := c.unreadable(wire.PassBody(c.w, c.r, c.bodySize)); err != nil {
			return reply{}, err
		}
	}
	return op.handle(ctx, c)
}

// id returns the path's id in lower case; false if it is no UUID and so names
// nothing (contract v4 S7).
func (c *call) id() (string, bool) { return wire.CanonicalID(c.params[0]) }

// read passes the gates of media type, size and syntax. It also returns the
// body's octets.
func (c *call) read() (*object, []byte, error) {
	if !isJSON(c.r.Header) {
		return nil, nil, problemError{Status: http.StatusUnsupportedMediaType, Detail: "The body must be application/json in UTF-8"}.plain()
	}
	raw, err := wire.ReadBody(c.w, c.r, c.bodySize)
	if err != nil {
		return nil, nil, c.unreadable(err)
	}
	o, err := parseObject(raw)
	return o, raw, err
}

// unreadable is the answer to a body that was not read to its end; nil for one
// that was.
func (c *call) unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrTooLarge):
		return problemError{Status: http.StatusRequestEntityTooLarge, Detail: "The body is larger than " + octets(c.bodySize)}.plain()
	}
	return badRequest("Request body could not be read")
}

// octets returns n as people write it: "64 KiB", "1500 octets".
func octets(n int) string {
	if n%1024 == 0 {
		return strconv.Itoa(n/1024) + " KiB"
	}
	return strconv.Itoa(n) + " octets"
}

// isJSON reports whether the media type is JSON in UTF-8. Without one, JSON is
// assumed.
func isJSON(h http.Header) bool {
	value := h.Get("Content-Type")
	if value == "" || value == "application/json" { // as nearly everyone writes it
		return true
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil || media != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || wire.EqualFold(charset, "utf-8")
}

// query returns the request's query parameters of these names, "" where there
// is none. One that comes twice breaks a rule of v.
func (c *call) query(v *violations, names ...string) ([]string, error) {
	all, err := url.ParseQuery(readable(c.r.URL.RawQuery))
	if err != nil {
		return nil, badRequest("The query string could not be read")
	}
	values := make([]string, len(names))
	for i, name := range names {
		if given := all[name]; len(given) > 1 {
			v.add(name, mustBeUnique)
		}
		values[i] = all.Get(name)
	}
	return values, nil
}

// filters returns query parameters that no request can get wrong (contract v4
// §6.3.1 and the lists like it): of those that come twice the first, of a query
// string that is broken what can be read.
func (c *call) filters(names ...string) []string {
	all, _ := url.ParseQuery(readable(c.r.URL.RawQuery))
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = all.Get(name)
	}
	return values
}

// readable is a query string whose semicolons are characters like others, as
// names may have them: url.ParseQuery refuses them.
func readable(query string) string { return strings.ReplaceAll(query, ";", "%3B") }

// fail answers with an error. Here it stops travelling, so here it is logged.
func (f *facade) fail(ctx context.Context, c *call, err error) {
	p := c.translate(err)
	if p.Status == http.StatusInternalServerError {
		f.Log.ErrorContext(ctx, "request failed", slog.String("route", c.r.Pattern), slog.Any("err", err))
	}
	if p.retry > 0 {
		c.w.Header().Set("Retry-After", wire.RetryAfter(p.retry))
	}
	if p.allow != "" {
		c.w.Header().Set("Allow", p.allow)
	}
	media := "application/json"
	if namesProblemJSON(c.r.Header.Values("Accept")) {
		media = "application/problem+json"
	}
	body, err := encode(p)
	if err != nil { // its members are strings and numbers
		f.Log.ErrorContext(ctx, "encode error body", slog.Any("err", err))
	}
	write(c.w, p.Status, media, body)
}

// namesProblemJSON reports whether Accept names the media type itself; ranges
// such as */* do not.
func namesProblemJSON(accept []string) bool {
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, _, _ := strings.Cut(item, ";")
		if wire.EqualFold(strings.TrimSpace(media), "application/problem+json") {
			return true
		}
	}
	return false
}

// encode returns v as JSON, with & < > as they are.
func encode(v any) ([]byte, error) {
	if p, ok := v.(literal); ok {
		return p.appendJSON(make([]byte, 0, 64)), nil
	}
	return wire.EncodeJSON(v) //nolint:wrapcheck // it says what was being done
}

// write sends an answer with a body. That the client has gone is no error of
// ours.
func write(w http.ResponseWriter, status int, media string, body []byte) {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
