package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/pemfile"
	"github.com/countersign/countersign/internal/server"
)

// exhausted is a listener of a process without file descriptors.
type exhausted struct {
	net.Listener

	left int // tries until it ends
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.left--; l.left < 0 {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
}

func (l *exhausted) Close() error { return nil }

func TestThatNoConnectionCanBeTakenIsAWarningOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := server.NewHTTPServer(http.NotFoundHandler(), slog.New(slog.NewTextHandler(&out, nil)))
	if err := s.Serve(&exhausted{left: 4}); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	said := out.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=WARN msg=\"no connection can be taken\"") || !strings.Contains(said, "too many open files") {
		t.Errorf("four failures said\n%s\nwant one warning", said)
	}
	out.Reset()
	s.ErrorLog.Print("http: TLS handshake error from 192.0.2.1:1: EOF")
	if out.Len() != 0 {
		t.Errorf("a connection that broke said %s", out.String())
	}
}

// Nobody reads the rest of a body that is too large: its connection has nothing
// to offer to the next request.
func TestABodyThatIsTooLargeEndsItsConnection(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k7", 16)
	r := start(t, fresh(t), "COUNTERSIGN_BOOTSTRAP_API_KEY="+key, "COUNTERSIGN_BOOTSTRAP_API_LOGIN=ops")
	for _, c := range []struct{ method, path string }{
		{http.MethodPost, "/2fa/v4/otp"},
		{http.MethodGet, "/2fa/v4/otp"},
		{http.MethodPost, "/2fa/v1/otp"},
		{http.MethodGet, "/2fa/v1/otp"},
		{http.MethodPost, "/v1/public/service/otp/generate"},
	} {
		for _, announced := range []bool{true, false} {
			req, err := http.NewRequestWithContext(t.Context(), c.method, r.url+c.path, strings.NewReader(strings.Repeat("1", 64<<10+1)))
			if err != nil {
				t.Fatal(err)
			}
			if !announced {
				req.ContentLength = -1
			}
			for name, value := range map[string]string{"apiKey": key, "api-key": key, "api-login": "ops"} {
				req.Header.Set(name, value)
			}
			resp, err := r.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
				t.Errorf("%s %s, announced %v: %d, the last on its connection = %v; want 413, true", c.method, c.path, announced, resp.StatusCode, resp.Close)
			}
		}
	}
}

// T-04.
func TestTheBoundsOfHTTPAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	s := server.NewHTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 5*time.Second || s.HTTP2.MaxConcurrentStreams != 250 || s.ReadTimeout != 30*time.Second {
		t.Errorf("headers in %s, %d streams, a body in %s; want 5 s, 250, 30 s", s.ReadHeaderTimeout, s.HTTP2.MaxConcurrentStreams, s.ReadTimeout)
	}
}

func TestAPrivateKeyWhereItsPathBelongsIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Split(string(text), "\n")[1]
	for name, c := range map[string]struct {
		cert, key, says string
	}{
		"as the key":         {cert, string(text), "tls_key: " + pemfile.ErrInPlace.Error()},
		"as the certificate": {string(text), key, "tls_cert: " + pemfile.ErrInPlace.Error()},
		"without its frame":  {cert, body, "tls_key: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := config.Load(config.Sources{Environ: []string{
				"COUNTERSIGN_DATA_DIR=" + t.TempDir(), "COUNTERSIGN_TLS_CERT=" + c.cert, "COUNTERSIGN_TLS_KEY=" + c.key,
			}})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			s := &server.Server{Config: settings, Log: slog.New(slog.NewTextHandler(&out, nil))}
			err = s.Run(t.Context())
			if _, ok := errors.AsType[*server.RefusalError](err); !ok || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "COUNTERSIGN_TLS_KEY") {
				t.Fatalf("Run = %v; want a refusal with %q and where it is set", err, c.says)
			}
			if strings.Contains(err.Error()+out.String(), body[:16]) {
				t.Errorf("the key is in what was said: %v\n%s", err, out.String())
			}
		})
	}
}
