package server_test

import (
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
