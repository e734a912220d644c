package openapi_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/api"
	"github.com/countersign/countersign/internal/api/openapi"
)

func server(t *testing.T) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	if err := openapi.Register(mux, openapi.Document{Name: "v4", Title: "Version 4", YAML: api.V4()}); err != nil {
		t.Fatal(err)
	}
	return mux
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

func TestTheFileIsServedAsItIs(t *testing.T) {
	t.Parallel()
	w := get(t, server(t), "/openapi/v4.yaml")
	if w.Code != 200 || w.Body.String() != string(api.V4()) || w.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("status %d, %d bytes of %s; want the file of %d bytes", w.Code, w.Body.Len(), w.Header().Get("Content-Type"), len(api.V4()))
	}
}

func TestThePagesNameEveryOperationAndFetchNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	h := server(t)
	page := get(t, h, "/openapi/v4").Body.String()
	for _, path := range regexp.MustCompile(`(?m)^  (/2fa/v4/\S*):`).FindAllStringSubmatch(string(api.V4()), -1) {
		if !strings.Contains(page, path[1]) {
			t.Errorf("the page does not show %s", path[1])
		}
	}
	if strings.Count(page, `class="method"`) < 40 {
		t.Errorf("the page shows %d operations; want at least 40", strings.Count(page, `class="method"`))
	}
	elsewhere := regexp.MustCompile(`(?i)<script|(src|href)="(https?:)?//`)
	for _, path := range []string{"/openapi/", "/openapi/v4", "/openapi/style.css"} {
		w := get(t, h, path)
		if w.Code != 200 || elsewhere.MatchString(w.Body.String()) {
			t.Errorf("%s: status %d, or it fetches from elsewhere", path, w.Code)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

func TestTheIndexLinksPageAndFile(t *testing.T) {
	t.Parallel()
	w := get(t, server(t), "/openapi/")
	for _, want := range []string{`href="/openapi/v4"`, `href="/openapi/v4.yaml"`, "Version 4"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the index lacks %s", want)
		}
	}
	if w := get(t, server(t), "/openapi/v9.yaml"); w.Code != 404 {
		t.Errorf("an unknown file answers %d; want 404", w.Code)
	}
}

func TestADocumentWithoutItsPageIsAMistake(t *testing.T) {
	t.Parallel()
	if err := openapi.Register(http.NewServeMux(), openapi.Document{Name: "v9"}); err == nil {
		t.Error("registered without a page")
	}
}

func TestTheWayToTheIndexRepeatsNoKey(t *testing.T) {
	t.Parallel()
	w := get(t, server(t), "/openapi?apiKey=canary&x=1")
	if got := w.Header().Get("Location"); w.Code != http.StatusMovedPermanently || got != "/openapi/" {
		t.Errorf("status %d, to %q; want 301 to /openapi/ alone", w.Code, got)
	}
	if strings.Contains(w.Body.String(), "canary") {
		t.Errorf("the body repeats the key: %s", w.Body)
	}
}
