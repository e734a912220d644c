package httpsubmit_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// breaker answers the first request of all with 200 and keeps the connection,
// reads the second one whole and breaks its connection, and answers every
// further one with 401.
type breaker struct {
	reset bool // else the connection is closed in good order

	mu   sync.Mutex // guards what follows
	read int        // whole requests
}

func (b *breaker) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.read
}

func (b *breaker) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		b.mu.Lock()
		b.read++
		n := b.read
		b.mu.Unlock()
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		switch {
		case n == 2:
			if tcp, ok := conn.(*net.TCPConn); ok && b.reset {
				_ = tcp.SetLinger(0)
			}
			return
		case n > 2:
			answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// start returns the server's URL.
func (b *breaker) start(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { b.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

// A request that was written may have been acted on: it is not for net/http to
// repeat it, whose caller would hear of the second answer only.
func TestAWrittenRequestIsNeverReplayed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ method, body, header string }{
		"a plain POST":               {http.MethodPost, "x", ""},
		"a POST with a key":          {http.MethodPost, "x", "Idempotency-Key"},
		"a POST with the other key":  {http.MethodPost, "x", "X-Idempotency-Key"},
		"a key as the file wrote it": {http.MethodPost, "x", "idempotency-KEY"},
		"a POST with a key alone":    {http.MethodPost, "", "Idempotency-Key"},
		"a PUT with a key":           {http.MethodPut, "x", "Idempotency-Key"},
		"a GET":                      {http.MethodGet, "", ""},
		"a GET with a body":          {http.MethodGet, "x", ""},
		"a HEAD":                     {http.MethodHead, "", ""},
	} {
		for _, reset := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", reset", false: ", closed"}[reset], func(t *testing.T) {
				t.Parallel()
				b := &breaker{reset: reset}
				url := b.start(t)
				c2 := client(t, httpsubmit.Options{})
				if _, r := c2.Do(post(t, t.Context(), url)); r != nil {
					t.Fatalf("Do = %+v; want an answer", *r)
				}
				req, err := http.NewRequestWithContext(t.Context(), c.method, url, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				if c.header != "" {
					req.Header[c.header] = []string{"k1"}
				}
				_, r := c2.Do(req)
				ended(t, r, delivery.Uncertain, "connection")
				if n := b.requests(); n != 2 {
					t.Errorf("the server read %d requests; want 2", n)
				}
			})
		}
	}
}

func TestAKeyArrivesWhateverItsSpelling(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get(name)) })
		req := post(t, t.Context(), s.URL)
		req.Header.Set(name, "k1")
		a, r := client(t, httpsubmit.Options{}).Do(req)
		if r != nil || string(a.Body) != "k1" {
			t.Errorf("%s: the server read %q, %+v; want k1", name, a.Body, r)
		}
		if req.Header.Get(name) != "k1" {
			t.Errorf("%s: the caller's request has %v; want it as it was", name, req.Header)
		}
	}
}

// Once its status was read, an error is one whatever becomes of its body.
func TestAnErrorWhoseBodyBreaksOffIsClassifiedByItsStatus(t *testing.T) {
	t.Parallel()
	for status, class := range map[string]delivery.Class{
		"401 Unauthorized":        delivery.Config,
		"422 Unprocessable":       delivery.Permanent,
		"503 Service Unavailable": delivery.Retry,
		"502 Bad Gateway":         delivery.Uncertain,
		"302 Found":               delivery.Config,
	} {
		for name, rest := range map[string]string{
			"cut":    "Content-Length: 100\r\n\r\nhalf",
			"broken": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
		} {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nRetry-After: 7\r\n"+rest)
				_ = conn.Close()
			})
			a, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), s.URL))
			if r != nil {
				t.Errorf("%s, %s: Do = %+v; want the answer", status, name, *r)
				continue
			}
			if got := httpsubmit.Classify(a, time.Time{}); got.Class != class || string(a.Body) != "half" || a.Header.Get("Retry-After") != "7" {
				t.Errorf("%s, %s: Do = %+v, which is %v; want %v and what was read", status, name, a, got.Class, class)
			}
		}
	}
}

// HTTP/2 keeps a connection too, but not for what must not be sent again.
func TestAGETHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, spoken := range []string{"HTTP/1.1", "HTTP/2.0"} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.Proto+" "+r.RemoteAddr)
		}))
		s.EnableHTTP2 = spoken == "HTTP/2.0"
		s.StartTLS()
		t.Cleanup(s.Close)
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		c := client(t, httpsubmit.Options{TLS: &tls.Config{RootCAs: roots}})
		peers := map[string]struct{}{}
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodGet, http.MethodPost} {
			req := post(t, t.Context(), s.URL)
			req.Method = method
			a, r := c.Do(req)
			if r != nil || !strings.HasPrefix(string(a.Body), spoken) {
				t.Fatalf("Do = %q, %+v; want %s", a.Body, r, spoken)
			}
			peers[string(a.Body)] = struct{}{}
		}
		if len(peers) != 3 {
			t.Errorf("%s: %d connections: %v; want one for both POSTs and one for each GET", spoken, len(peers), peers)
		}
	}
}
