package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	pathpkg "path"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/pemfile"
)

// Bounds of HTTP (T-04). Bodies are bounded by the facades.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second // a body of 64 KiB
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	headerBytes   = 16 << 10
	// lineBytes is room for a request line: 1600 characters of four octets each,
	// percent-encoded, and the rest of it. What net/http bounds is both together,
	// and it adds httpSlack itself.
	lineBytes  = 20 << 10
	httpSlack  = 4 << 10
	maxStreams = 250 // of an HTTP/2 connection
	// requestTime is how long a call of a facade waits for the database, apart from
	// the time that its body takes to come. What has reached its row by then goes on,
	// and the answer is that the outcome is not known (V-07).
	requestTime = 10 * time.Second
)

var errRequestTime = errors.New("the request took too long")

// newHTTPServer returns a server with this deployment's bounds.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           boundedHeaders(h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes + lineBytes - httpSlack,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          newErrorLog(log),
	}
}

// boundedHeaders refuses requests with headers of more than headerBytes, each
// counted with the four octets that part it from its value and from the next.
// Host, or :authority, which net/http takes out of the others, counts too.
func boundedHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		octets := len("Host") + len(r.Host) + 4
		for name, values := range r.Header {
			for _, v := range values {
				octets += len(name) + len(v) + 4
			}
		}
		if octets > headerBytes {
			if r.ProtoMajor < 2 { // over HTTP/2 the connection is other requests' too
				w.Header().Set("Connection", "close")
			}
			http.Error(w, "431 Request Header Fields Too Large", http.StatusRequestHeaderFieldsTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// tlsConfig reads the certificate of the APIs; nil if they speak plain HTTP.
func tlsConfig(ctx context.Context, c config.Config, log *slog.Logger) (*tls.Config, error) {
	if !c.TLS() {
		return nil, nil
	}
	if err := checkFile(ctx, "tls_key", c.TLSKey, log); err != nil {
		return nil, err
	}
	const what, expected = "tls_cert and tls_key cannot be used", "the paths of a PEM certificate and its PEM key"
	cert, err := pemfile.Read(c.TLSCert)
	if err != nil {
		return nil, &RefusalError{what, expected, fmt.Errorf("tls_cert: %w", err)}
	}
	key, err := pemfile.Read(c.TLSKey)
	if err != nil {
		return nil, &RefusalError{what, expected, fmt.Errorf("tls_key: %w", err)}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &RefusalError{what, expected, err}
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// facades sends requests to the facade that owns their path, others to rest. A
// facade gets its paths as they came: http.ServeMux would redirect some and
// lose percent-encoded slashes.
type facades struct {
	owned []owned
	rest  http.Handler
}

type owned struct {
	prefix  string // of the escaped path, without a slash at its end
	handler http.Handler
}

func (f facades) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for _, o := range f.owned {
		if rest, ok := strings.CutPrefix(path, o.prefix); ok && (rest == "" || rest[0] == '/') {
			inner, cancel := bounded(r)
			defer cancel()
			// What counts requests and what logs panics read the outer one.
			defer func() { r.Pattern, r.RequestURI = inner.Pattern, inner.RequestURI }()
			o.handler.ServeHTTP(w, inner)
			return
		}
	}
	// http.ServeMux would redirect a path like //2fa/v4/otp, query and all, and
	// so repeat a key in it.
	if clean := pathpkg.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
		http.NotFound(w, r)
		return
	}
	f.rest.ServeHTTP(w, r)
}

// recovered answers 500 where next panics, and logs where that was.
func recovered(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				afterPanic(w, r, log, p)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func afterPanic(w http.ResponseWriter, r *http.Request, log *slog.Logger, p any) {
	err, _ := p.(error)
	if errors.Is(err, http.ErrAbortHandler) {
		panic(p) // a handler's way to cut the connection
	}
	attrs := []slog.Attr{slog.String("route", r.Pattern), slog.String("stack", string(debug.Stack()))}
	// Only what the run-time says is known to hold no personal data.
	if e, ok := errors.AsType[runtime.Error](err); ok {
		attrs = append(attrs, slog.String("panic", e.Error()))
	}
	log.LogAttrs(r.Context(), slog.LevelError, "a handler panicked", attrs...)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write([]byte(`{"title":"Internal Server Error","status":500,"detail":"The request could not be completed"}`))
}
