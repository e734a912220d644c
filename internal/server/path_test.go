package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A redirect would repeat the query, and with it a key (K-04).
func TestAPathThatIsNotCleanIsUnknownInsteadOfRedirected(t *testing.T) {
	t.Parallel()
	s := start(t, fresh(t))
	for _, path := range []string{"//2fa/v4/otp?apiKey=secret", "/2fa//v4/otp?apiKey=secret", "/x/../2fa/v4/otp?apiKey=secret"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNotFound || res.Header.Get("Location") != "" || strings.Contains(string(body), "secret") {
			t.Errorf("GET %s = %d to %q, %s; want 404 and nothing of the query", path, res.StatusCode, res.Header.Get("Location"), body)
		}
	}
}

func TestNoRedirectRepeatsWhatTheQueryHolds(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, path := range []string{"/openapi", "/openapi/", "/sandbox", "/sandbox/", "/console", "/", "//openapi", "/openapi/../sandbox"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path+"?apiKey=canary", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if said := fmt.Sprint(resp.Header) + string(text); err != nil || strings.Contains(said, "canary") {
			t.Errorf("%s = %d %v: the key is repeated in %s", path, resp.StatusCode, err, said)
		}
	}
}
