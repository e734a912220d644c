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

// wrapped is a http.ResponseWriter as what stands around a facade hands it on:
// what http.MaxBytesReader looks for is not to be seen.
type wrapped struct{ http.ResponseWriter }

func readBody(w http.ResponseWriter, r *http.Request, most int) error {
	_, err := wire.ReadBody(w, r, most)
	return err
}

// TestATooLargeBodyEndsTheConnectionOnlyWhereItHasNoOtherRequests posts a body
// that is too large, and then a small one.
func TestATooLargeBodyEndsTheConnectionOnlyWhereItHasNoOtherRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		proto     string
		announced bool // how large it is
		take      func(http.ResponseWriter, *http.Request, int) error
		reused    bool // the connection, by the second request
	}{
		{"announced over HTTP/1.1", "HTTP/1.1", true, readBody, false},
		{"chunked over HTTP/1.1", "HTTP/1.1", false, readBody, false},
		{"announced over HTTP/2", "HTTP/2", true, readBody, true},
		{"not announced over HTTP/2", "HTTP/2", false, readBody, true},
		{"announced and passed over", "HTTP/1.1", true, wire.PassBody, false},
		{"chunked and passed over", "HTTP/1.1", false, wire.PassBody, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := c.take(wrapped{w}, r, wire.MaxBody); errors.Is(err, wire.ErrTooLarge) {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
				}
				_, _ = io.WriteString(w, r.Proto)
			}))
			server.EnableHTTP2 = c.proto == "HTTP/2"
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
				if !c.announced {
					req.ContentLength = -1
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
			if status, body, _ := post(wire.MaxBody + 1); status != http.StatusRequestEntityTooLarge || !strings.HasPrefix(body, c.proto) {
				t.Errorf("a body that is too large: %d %q; want 413 over %s", status, body, c.proto)
			}
			if status, _, reused := post(1); status != http.StatusOK || reused != c.reused {
				t.Errorf("the request after it: %d, on the same connection = %v; want 200, %v", status, reused, c.reused)
			}
		})
	}
}
