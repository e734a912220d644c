package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/countersign/countersign/api"
	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/message"
)

func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(api.Sandbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &filling{woken: make(chan string, 1)}
	f.put(inbox.Message{
		Account: "acme", ID: "m1", OTPID: "o1", Channel: message.SMS, To: recipient(t, "+4915112345678"),
		Text: inbox.NewText("code 1"), Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}, false)
	h := handlerOf(f)
	check := func(target, key string, status int, body string) error {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.Header.Set("apiKey", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s = %d, want %d", target, w.Code, status)
		}
		if body != "" {
			w.Body.Reset()
			w.Body.WriteString(body)
		}
		item := doc.Paths.Find(r.URL.Path)
		route := &routers.Route{Spec: doc, Path: r.URL.Path, PathItem: item, Method: r.Method, Operation: item.Get}
		input := &openapi3filter.RequestValidationInput{Request: r, Route: route}
		answer := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: w.Code, Header: w.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true},
		}
		return openapi3filter.ValidateResponse(t.Context(), answer.SetBodyBytes(w.Body.Bytes()))
	}
	for _, c := range []struct {
		target, key string
		status      int
	}{
		{"/sandbox/messages", "key-a", 200},
		{"/sandbox/messages?to=%2B33612345678", "key-a", 200},
		{"/sandbox/messages?limit=x", "key-a", 400},
		{"/sandbox/messages/wait", "key-a", 200},
		{"/sandbox/messages/wait?after=m1&timeout=0", "key-a", 200},
		{"/sandbox/messages/wait?after=ghost", "key-a", 400},
		{"/sandbox/messages/wait", "", 401},
		{"/sandbox/messages/wait", "nope", 403},
		{"/sandbox/messages", "down", 503},
		{"/sandbox/messages", "broken", 500},
	} {
		if err := check(c.target, c.key, c.status, ""); err != nil {
			t.Errorf("%s with key %q: %v", c.target, c.key, err)
		}
	}
	if err := check("/sandbox/messages", "key-a", 200, `[{"id":"m1"}]`); err == nil {
		t.Error("a message without its members passes: the check checks nothing")
	}
}
