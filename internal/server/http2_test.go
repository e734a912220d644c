package server_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
)

func TestWhatIsTooLargeIsRefusedOverHTTP2WithoutEndingTheConnection(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	r := start(t, fresh(t), "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	large, small := strings.Repeat("1", 200<<10), strings.Repeat("1", 10)
	for i, c := range []struct {
		method, path, header, body string
		status                     int
		says                       string
	}{
		{http.MethodGet, "/readyz", small, "", 200, ""},
		{http.MethodPost, "/2fa/v4/otp", small, `{"to":"` + large + `"}`, 413, `"status":413`},
		{http.MethodPost, "/2fa/v1/otp", small, `{"number":"` + large + `"}`, 413, `"code":"1901"`},
		{http.MethodGet, "/2fa/v4/otp", large[:17<<10], "", 431, "431 Request Header Fields Too Large"},
		{http.MethodGet, "/2fa/v4/otp", small, "", 200, "[]"},
	} {
		reused := false
		trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { reused = got.Reused }}
		req, err := http.NewRequestWithContext(
			httptrace.WithClientTrace(t.Context(), trace), c.method, "https://127.0.0.1:"+port+c.path, strings.NewReader(c.body),
		)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("apiKey", r.key)
		req.Header.Set("X-Long", c.header)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || resp.ProtoMajor != 2 || !strings.Contains(string(body), c.says) {
			t.Errorf("%s %s = %d %q over %s, %v; want %d %q over HTTP/2", c.method, c.path, resp.StatusCode, body, resp.Proto, err, c.status, c.says)
		}
		if reused != (i > 0) {
			t.Errorf("request %d, %s %s, on the connection of those before = %v", i, c.method, c.path, reused)
		}
	}
}
