package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

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

// T-04.
func TestTheBoundsOfHTTPAreThoseThatAreDocumented(t *testing.T) {
	t.Parallel()
	s := server.NewHTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout != 5*time.Second || s.HTTP2.MaxConcurrentStreams != 250 || s.ReadTimeout != 30*time.Second {
		t.Errorf("headers in %s, %d streams, a body in %s; want 5 s, 250, 30 s", s.ReadHeaderTimeout, s.HTTP2.MaxConcurrentStreams, s.ReadTimeout)
	}
}
