package tyntecv4_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/countersign/countersign/api"
)

func TestTheDocumentIsValidOpenAPI31(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version = %s, want 3.1.0", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("validate: %v", err)
	}
}

// document is read once: it does not change.
var document = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(api.V4()) })

// checked is a transport that fails the test when an answer is not what the
// document says, or when the server does what a request asks for although the
// document does not allow the request.
type checked struct {
	t    *testing.T
	next http.RoundTripper
}

// lenient marks, by its context key, a request that the document does not
// allow and the server accepts: coerced members, ignored ones and the like.
const lenient = "X-Test-Lenient"

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	strict := r.Header.Get(lenient) == ""
	r.Header.Del(lenient)
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(got))
	if err := check(r.Context(), r, sent, answer, got, strict); err != nil {
		c.t.Errorf("%s %s → %d %s\nis not what the document says: %v", r.Method, r.URL, answer.StatusCode, got, err)
	}
	return answer, nil
}

// known remembers exchanges that the document allows, ids left out: to check one
// costs a hundred times more than to answer it, and every test begins with the
// same ones.
var known sync.Map

func check(ctx context.Context, r *http.Request, sent []byte, answer *http.Response, got []byte, strict bool) error {
	doc, err := document()
	if err != nil {
		return err
	}
	media := answer.Header.Get("Content-Type")
	if r.Method == http.MethodHead { // no operation, and no body to check
		return nil
	}
	if (len(got) == 0) != (media == "") {
		return fmt.Errorf("body of %d octets with the media type %q", len(got), media)
	}
	name := anyUUID.ReplaceAllString(fmt.Sprint(strict, r.Method, r.URL.RequestURI(), r.Header["Content-Type"], r.Header["Idempotency-Key"], string(sent),
		answer.StatusCode, media, answer.Header["Retry-After"], answer.Header["X-Result-Truncated"], string(got)), "id")
	if _, checked := known.Load(name); checked {
		return nil
	}
	route, params, err := find(doc, r)
	if err != nil {
		return err
	}
	unread := answer.StatusCode == http.StatusRequestEntityTooLarge && (r.Method == http.MethodGet || r.Method == http.MethodDelete)
	if route.Operation == nil || unread { // a gate before any operation
		return checkGate(doc, answer.StatusCode, media, got)
	}
	r = r.Clone(ctx)
	r.Body = io.NopCloser(bytes.NewReader(sent))
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
	request := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options}
	if strict && answer.StatusCode < 300 {
		if r.Header.Get("Content-Type") == "" && len(sent) > 0 {
			r.Header.Set("Content-Type", "application/json")
		}
		if err := openapi3filter.ValidateRequest(ctx, request); err != nil {
			return fmt.Errorf("request: %w", err)
		}
	}
	err = openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: answer.StatusCode, Header: answer.Header,
		Body: io.NopCloser(bytes.NewReader(got)), Options: options,
	})
	if err == nil {
		known.Store(name, true)
	}
	return err
}

// checkGate checks answers that no operation of the document has: to paths and
// methods that it lacks, and to bodies that nobody reads.
func checkGate(doc *openapi3.T, status int, media string, got []byte) error {
	name, ok := map[int]string{
		http.StatusUnauthorized: "UnauthorizedResponse", http.StatusForbidden: "ForbiddenResponse",
		http.StatusNotFound: "ProblemResponse", http.StatusMethodNotAllowed: "ProblemResponse",
		http.StatusTooManyRequests: "ProblemResponse", http.StatusRequestEntityTooLarge: "ProblemResponse",
	}[status]
	if !ok {
		return fmt.Errorf("status %d of no operation", status)
	}
	if media != "application/json" && media != "application/problem+json" {
		return fmt.Errorf("media type %q", media)
	}
	value, err := decode(got)
	if err != nil {
		return err
	}
	return doc.Components.Schemas[name].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
}

// find returns the operation of a request, an empty route if there is none.
func find(doc *openapi3.T, r *http.Request) (*routers.Route, map[string]string, error) {
	given := strings.Split(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/")
	for path, item := range doc.Paths.Map() {
		wanted := strings.Split(path, "/")
		if len(wanted) != len(given) {
			continue
		}
		params, same := map[string]string{}, true
		for i, w := range wanted {
			g, err := url.PathUnescape(given[i])
			if err != nil {
				return nil, nil, err
			}
			if strings.HasPrefix(w, "{") && g != "" {
				params[strings.Trim(w, "{}")] = g
			} else if w != g {
				same = false
			}
		}
		if same {
			return &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)}, params, nil
		}
	}
	return &routers.Route{}, nil, nil
}
