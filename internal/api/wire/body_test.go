package wire_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/api/wire"
)

// TestATooLargeBodyEndsTheConnectionOnlyWhereItHasNoOtherRequests posts a body
// that is announced as too large, and then a small one.
func TestATooLargeBodyEndsTheConnectionOnlyWhereItHasNoOtherRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		http2  bool
		reused bool // the connection, by the second request
	}{
		{"HTTP/1.1", false, false},
		{"HTTP/2", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := wire.ReadBody(w, r, wire.MaxBody); errors.Is(err, wire.ErrTooLarge) {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
				}
				_, _ = io.WriteString(w, r.Proto)
			}))
			server.EnableHTTP2 = c.http2
			server.StartTLS()
			t.Cleanup(server.Close)
			post := func(size int) (status int, body string, reused bool) {
				trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
				req, err := http.NewRequestWithContext(
					httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, server.URL, strings.NewReader(strings.Repeat("x", size)),
				)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := server.Client().Do(req)
				if err != nil {
					t.Fatalf("a body of %d octets: %v", size, err)
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatalf("the answer to a body of %d octets: %v", size, err)
				}
				return resp.StatusCode, string(text), reused
			}
			if status, body, _ := post(wire.MaxBody + 1); status != http.StatusRequestEntityTooLarge || !strings.HasPrefix(body, c.name) {
				t.Errorf("a body that is too large: %d %q; want 413 over %s", status, body, c.name)
			}
			if status, _, reused := post(1); status != http.StatusOK || reused != c.reused {
				t.Errorf("the request after it: %d, on the same connection = %v; want 200, %v", status, reused, c.reused)
			}
		})
	}
}
