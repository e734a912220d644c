package octopush_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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

func TestTheDocumentsExamplesAreWhatItAllowsAndWhatIsAccepted(t *testing.T) {
	t.Parallel()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	h := start(t)
	for path, method := range map[string]string{generatePath: http.MethodPost, validatePath: http.MethodPut} {
		content := doc.Paths.Find(path).GetOperation(method).RequestBody.Value.Content["application/json"]
		if err := content.Schema.Value.VisitJSON(content.Example, openapi3.EnableJSONSchema2020()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		body, err := json.Marshal(content.Example)
		if err != nil {
			t.Fatal(err)
		}
		if a := h.do(method, path, string(body)); a.status == http.StatusOK != (path == generatePath) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestTheCheckOfAnswersRefusesWhatTheDocumentLacks(t *testing.T) {
	t.Parallel()
	request := func(path string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://localhost"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		what   string
		path   string
		status int
		retry  string
		body   string
		fine   bool
	}{
		{"a success", validatePath, 200, "", `{"code":0,"message":"success"}`, true},
		{"another success", validatePath, 200, "", `{"code":0,"message":"ok"}`, false},
		{"a code as text", validatePath, 200, "", `{"code":"0","message":"success"}`, false},
		{"a wrong code without a count", validatePath, 400, "", `{"code":199,"message":"Wrong OTP code."}`, false},
		{"a count with another code", validatePath, 400, "", `{"code":198,"message":"x","remaining_number_of_attempts":1}`, false},
		{"a status of no operation", validatePath, 418, "", `{"code":100,"message":"x"}`, false},
		{"a wait", validatePath, 429, "3", `{"code":128,"message":"x"}`, true},
		{"a refusal without its wait", validatePath, 429, "", `{"code":128,"message":"x"}`, false},
		{"another path", validatePath + "x", 404, "", `{"code":100,"message":"x"}`, true},
		{"another path with a code of its own", validatePath + "x", 404, "", `{"code":198,"message":"x"}`, false},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		if c.retry != "" {
			header.Set("Retry-After", c.retry)
		}
		if err := check(request(c.path), c.status, header, []byte(c.body)); (err == nil) != c.fine {
			t.Errorf("%s: %v; want fine %v", c.what, err, c.fine)
		}
	}
}

// document is read once: it does not change.
var document = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(api.Octopush()) })

// checked is a transport that fails the test when an answer is not what the
// document says.
type checked struct {
	t    *testing.T
	next http.RoundTripper
}

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
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
	if err := check(r, answer.StatusCode, answer.Header, got); err != nil {
		c.t.Errorf("%s %s → %d %s\nis not what the document says: %v", r.Method, r.URL, answer.StatusCode, got, err)
	}
	return answer, nil
}

func check(r *http.Request, status int, header http.Header, got []byte) error {
	doc, err := document()
	if err != nil {
		return err
	}
	if media := header.Get("Content-Type"); media != "application/json" {
		return fmt.Errorf("media type %q", media)
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	item := doc.Paths.Find(path)
	if item == nil || item.GetOperation(r.Method) == nil { // a gate before any operation
		if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
			return fmt.Errorf("status %d of no operation", status)
		}
		var value any
		if err := json.Unmarshal(got, &value); err != nil {
			return err
		}
		return doc.Components.Schemas["RequestFailure"].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	route := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)}
	options := &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true}
	documented := route.Operation.Responses.Status(status)
	if documented == nil {
		return fmt.Errorf("status %d", status)
	}
	for name, h := range documented.Value.Headers {
		if h.Value.Required && header.Get(name) == "" {
			return fmt.Errorf("header %s is missing", name)
		}
	}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route, Options: options},
		Status:                 status, Header: header,
		Body: io.NopCloser(bytes.NewReader(got)), Options: options,
	})
}
