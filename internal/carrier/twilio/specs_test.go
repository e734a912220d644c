//go:build specs

package twilio_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/spectest"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
)

// specification is Twilio's own, of github.com/twilio/twilio-oai.
const specification = "twilio/twilio_api_v2010.json"

func TestTwiliosSpecificationAllowsEveryRequest(t *testing.T) {
	t.Parallel()
	base := spectest.Prism(t, spectest.File(t, specification))
	for _, r := range requests() {
		_, got := r.make(t, func(c *twilio.Config, d *twilio.Deps) {
			c.BaseURL, d.HTTP = base, httpsubmit.Options{Timeout: time.Minute}
		})
		if got.Class != delivery.Accepted {
			t.Errorf("%s: Submit = %+v; want Accepted", r.name, got)
		}
	}
}

func TestTwiliosSpecificationAllowsTheGoldenRequestsAndNoBrokenOnes(t *testing.T) {
	t.Parallel()
	base := spectest.Prism(t, spectest.File(t, specification))
	files, err := filepath.Glob("testdata/golden/*.http")
	if err != nil || len(files) < 11 {
		t.Fatalf("%d golden requests, %v; want 11 or more", len(files), err)
	}
	for _, file := range files {
		want := http.StatusCreated
		if strings.HasSuffix(file, "check.http") {
			want = http.StatusOK
		}
		if got := send(t, base, file, nil); got != want {
			t.Errorf("%s was answered with %d; want %d", file, got, want)
		}
	}
	for name, c := range map[string]struct {
		file   string
		change func(*http.Request, url.Values)
		want   int
	}{
		"no credentials":     {"sms", func(r *http.Request, _ url.Values) { r.Header.Del("Authorization") }, http.StatusUnauthorized},
		"no recipient":       {"sms", func(_ *http.Request, f url.Values) { f.Del("To") }, http.StatusUnprocessableEntity},
		"wrong validity":     {"sms", func(_ *http.Request, f url.Values) { f.Set("ValidityPeriod", "5m") }, http.StatusUnprocessableEntity},
		"wrong retention":    {"sms-options", func(_ *http.Request, f url.Values) { f.Set("ContentRetention", "forget") }, http.StatusUnprocessableEntity},
		"a call by nobody":   {"call", func(_ *http.Request, f url.Values) { f.Del("From") }, http.StatusUnprocessableEntity},
		"wrong ringing time": {"call", func(_ *http.Request, f url.Values) { f.Set("Timeout", "30s") }, http.StatusUnprocessableEntity},
	} {
		if got := send(t, base, filepath.Join("testdata", "golden", c.file+".http"), c.change); got != c.want {
			t.Errorf("%s: answered with %d; want %d", name, got, c.want)
		}
	}
}

// send sends a golden request, changed or not, and returns the status.
func send(t testing.TB, base, file string, change func(*http.Request, url.Values)) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if change != nil {
		change(r, form)
	}
	fresh, err := http.NewRequestWithContext(t.Context(), r.Method, base+r.URL.RequestURI(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	fresh.Header = r.Header
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	answer, err := client.Do(fresh)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}
