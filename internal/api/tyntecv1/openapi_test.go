package tyntecv1_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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
var document = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(api.V1()) })

// checked is a transport that fails the test when an answer is not what the
// document says, or breaks a rule of contract v1 §2 that holds for all.
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
	if err := check(r, answer, got); err != nil {
		c.t.Errorf("%s %s → %d %s\nis not what the document says: %v", r.Method, r.URL, answer.StatusCode, got, err)
	}
	return answer, nil
}

func check(r *http.Request, answer *http.Response, got []byte) error {
	doc, err := document()
	if err != nil {
		return err
	}
	if err := common(answer, got); err != nil {
		return err
	}
	route, params, err := find(doc, r)
	if err != nil {
		return err
	}
	unread := answer.StatusCode == http.StatusRequestEntityTooLarge && r.Method == http.MethodGet
	if route.Operation == nil || unread { // a gate before any operation
		if !slices.Contains([]int{401, 403, 404, 405, 413, 429}, answer.StatusCode) {
			return fmt.Errorf("status %d of no operation", answer.StatusCode)
		}
		var value any
		if err := json.Unmarshal(got, &value); err != nil {
			return err
		}
		return doc.Components.Schemas["ErrorResponse"].Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	options := &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true}
	return openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: options},
		Status:                 answer.StatusCode, Header: answer.Header, Body: io.NopCloser(bytes.NewReader(got)), Options: options,
	})
}

// common checks what holds for every answer.
func common(answer *http.Response, got []byte) error {
	h := answer.Header
	media := h.Get("Content-Type")
	if answer.StatusCode == http.StatusNoContent {
		if media != "" || len(got) > 0 {
			return fmt.Errorf("204 with a body: %q %q", media, got)
		}
		return nil
	}
	if media != "application/json; charset=utf-8" {
		return fmt.Errorf("media type %q", media)
	}
	var body struct {
		Code   string `json:"code"`
		Status string `json:"otpStatus"`
	}
	_ = json.Unmarshal(got, &body) // a list has neither
	if (h.Get("WWW-Authenticate") != "") != (body.Code == "1940") {
		return fmt.Errorf("WWW-Authenticate %q with code %q", h.Get("WWW-Authenticate"), body.Code)
	}
	if answer.StatusCode >= 400 && (body.Code == "") == (body.Status == "") {
		return errors.New("neither or both of code and otpStatus")
	}
	if h.Get("Location") != "" {
		return fmt.Errorf("location %q", h.Get("Location"))
	}
	if later := answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable; (h.Get("Retry-After") != "") != later {
		return fmt.Errorf("Retry-After %q with %d", h.Get("Retry-After"), answer.StatusCode)
	}
	return nil
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
			if strings.HasPrefix(w, "{") {
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
