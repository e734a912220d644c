package httpsubmit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/freeport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// canary is in URL and body and must be in nothing that comes back.
const canary = "80427519"

func client(t testing.TB, o httpsubmit.Options) *httpsubmit.Client {
	t.Helper()
	c := httpsubmit.New(o)
	t.Cleanup(c.Close)
	return c
}

func post(t testing.TB, ctx context.Context, url string) *http.Request { //nolint:revive // a test's context goes second
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/?code="+canary, strings.NewReader("code="+canary))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func ended(t testing.TB, r *delivery.Result, class delivery.Class, code string) {
	t.Helper()
	switch {
	case r == nil:
		t.Errorf("Do brought an answer; want %v", class)
	case r.Class != class || r.Failure.Code != code || r.Failure.Area != delivery.AreaCarrier || r.Failure.Text == "":
		t.Errorf("Do = %+v; want %v, %s", *r, class, code)
	case strings.Contains(fmt.Sprintf("%+v", *r), canary):
		t.Errorf("Do = %+v; it holds what was sent", *r)
	}
}

func TestAWholeAnswerIsReturnedWhateverItsStatus(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = io.Copy(w, r.Body)
	})
	a, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), s.URL))
	if r != nil || a.Status != http.StatusTemporaryRedirect || string(a.Body) != "code="+canary || a.Header.Get("Location") != "/elsewhere" {
		t.Errorf("Do = %+v, %+v; want the redirect itself", a, r)
	}
	if asked.Load() != 1 {
		t.Errorf("%d requests; want 1, as no redirect is followed", asked.Load())
	}
}

func TestAnAnswersBodyIsReadUpTo64KiB(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	})
	a, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), s.URL))
	if r != nil || len(a.Body) != 64<<10 {
		t.Errorf("Do = %d bytes, %+v; want 65536", len(a.Body), r)
	}
}

func TestALongAnswerIsReadAsFarAsItIsAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 300<<10)) })
	a, r := client(t, httpsubmit.Options{}).DoLong(post(t, t.Context(), s.URL), 200<<10)
	if r != nil || len(a.Body) != 200<<10 {
		t.Errorf("DoLong = %d bytes, %+v; want 204800", len(a.Body), r)
	}
}

func TestAnAnswerIsAskedForWithoutACoding(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(r.Header["Accept-Encoding"], "+"))
	})
	for name, want := range map[string]string{"": "identity", "Accept-Encoding": "br", "accept-encoding": "br"} {
		req := post(t, t.Context(), s.URL)
		if name != "" {
			req.Header[name] = []string{"br"} // as an operator's settings may have it
		}
		a, r := client(t, httpsubmit.Options{}).Do(req)
		if r != nil || string(a.Body) != want {
			t.Errorf("with the header %q: asked for %q, %+v; want %q", name, a.Body, r, want)
		}
	}
}

func TestNothingWrittenIsRetry(t *testing.T) {
	t.Parallel()
	url := "http://" + freeport.Address(t)
	_, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), url))
	ended(t, r, delivery.Retry, "connect")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent though its context was over") })
	_, r = client(t, httpsubmit.Options{}).Do(post(t, ctx, s.URL))
	ended(t, r, delivery.Retry, "timeout")

	unresolved := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: canary, IsNotFound: true}}
	}
	_, r = client(t, httpsubmit.Options{Dial: unresolved}).Do(post(t, t.Context(), s.URL))
	ended(t, r, delivery.Retry, "name")

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	t.Cleanup(secure.Close)
	_, r = client(t, httpsubmit.Options{}).Do(post(t, t.Context(), secure.URL))
	ended(t, r, delivery.Retry, "tls")
}

func TestAnAnswerThatDoesNotComeInTimeIsUncertain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		c := client(t, httpsubmit.Options{
			Timeout: time.Second,
			Dial:    func(context.Context, string, string) (net.Conn, error) { return near, nil },
		})
		read := make(chan error, 1)
		go func() {
			req, err := http.ReadRequest(bufio.NewReader(far))
			if err == nil {
				_, err = io.Copy(io.Discard, req.Body)
			}
			read <- err
		}()
		began := time.Now()
		_, r := c.Do(post(t, t.Context(), "http://carrier.example"))
		ended(t, r, delivery.Uncertain, "timeout")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v; want 1s", took)
		}
		if err := <-read; err != nil {
			t.Errorf("the upstream read: %v; want a whole request", err)
		}
	})
}

func TestAnAnswerThatDoesNotComeBeforeTheEndIsUncertain(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	read := make(chan struct{}, 1)
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		read <- struct{}{}
		<-free
	})
	t.Cleanup(func() { close(free) })
	c := client(t, httpsubmit.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	running := make(chan error, 1)
	go func() { running <- c.Run(ctx) }()
	done := make(chan *delivery.Result, 1)
	go func() {
		_, r := c.Do(post(t, t.Context(), s.URL))
		done <- r
	}()
	<-read
	cancel()
	ended(t, <-done, delivery.Uncertain, "ended")
	if err := <-running; err != nil {
		t.Errorf("Run = %v; want nil", err)
	}
	_, r := c.Do(post(t, t.Context(), s.URL))
	ended(t, r, delivery.Retry, "ended")
}

func TestABrokenAnswerIsUncertain(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"none":       "",
		"no HTTP":    "220 mail ready\r\n",
		"cut":        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"huge head":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"two halves": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		})
		_, r := client(t, httpsubmit.Options{}).Do(post(t, t.Context(), s.URL))
		if r == nil || r.Class != delivery.Uncertain {
			t.Errorf("%s: Do = %+v; want Uncertain", name, r)
			continue
		}
		ended(t, r, delivery.Uncertain, "connection")
	}
}

// gate is a connection whose writes can be made to fail.
type gate struct {
	net.Conn
	shut *atomic.Bool
}

func (g gate) Write(p []byte) (int, error) {
	if g.shut.Load() {
		return 0, errors.New("write on a closed connection to " + canary)
	}
	return g.Conn.Write(p)
}

func TestARequestThatAnIdleConnectionDidNotTakeIsRetry(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	var shut atomic.Bool
	c := client(t, httpsubmit.Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if shut.Load() {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return gate{conn, &shut}, err
	}})
	if _, r := c.Do(post(t, t.Context(), s.URL)); r != nil {
		t.Fatalf("Do = %+v; want an answer", *r)
	}
	shut.Store(true)
	_, r := c.Do(post(t, t.Context(), s.URL))
	ended(t, r, delivery.Retry, "connect")
}

func TestHTTP2IsSpokenAndTLSBefore12IsNot(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	a, r := client(t, httpsubmit.Options{TLS: &tls.Config{RootCAs: roots}}).Do(post(t, t.Context(), s.URL))
	if r != nil || string(a.Body) != "HTTP/2.0" {
		t.Errorf("Do = %q, %+v; want HTTP/2.0", a.Body, r)
	}

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	roots.AddCert(old.Certificate())
	_, r = client(t, httpsubmit.Options{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}).Do(post(t, t.Context(), old.URL))
	if r == nil || r.Class != delivery.Retry {
		t.Errorf("Do = %+v; want Retry, as TLS 1.1 is refused", r)
	}
}

func TestAnAddressThatIsNotAllowedIsTheOperators(t *testing.T) {
	t.Parallel()
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	_, r := client(t, httpsubmit.Options{Dial: httpsubmit.Dialer(func(a netip.Addr) bool { return !a.IsLoopback() })}).Do(post(t, t.Context(), s.URL))
	ended(t, r, delivery.Config, "address")

	open := serve(t, func(http.ResponseWriter, *http.Request) {})
	if _, r := client(t, httpsubmit.Options{Dial: httpsubmit.Dialer(httpsubmit.Private)}).Do(post(t, t.Context(), open.URL)); r != nil {
		t.Errorf("Do = %+v; want an answer", *r)
	}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "10.1.2.3": true, "::ffff:192.168.1.1": true, "fe80::1": true, "fd00::1": true,
		"8.8.8.8": false, "172.32.0.1": false, "2a00::1": false, "0.0.0.0": false,
	} {
		if got := httpsubmit.Private(netip.MustParseAddr(text)); got != want {
			t.Errorf("Private(%s) = %v; want %v", text, got, want)
		}
	}
}

func TestASecretIsPrintedHidden(t *testing.T) {
	t.Parallel()
	s := setting.NewSecret(canary)
	b, err := json.Marshal(map[string]setting.Secret{"s": s})
	if all := fmt.Sprintf("%v %+v %#v %s %q %x %s", s, s, struct{ s any }{s}, s, s, s, b); err != nil || strings.Contains(all, canary) ||
		strings.Contains(all, fmt.Sprintf("%x", canary)) || s.Reveal() != canary {
		t.Errorf("printed %s; want it hidden and revealed", all)
	}
	if !setting.NewSecret("").IsZero() || (setting.Secret{}).Reveal() != "" || s.IsZero() {
		t.Error("the empty secret is none, and only it")
	}
}

func TestManyRequestsAtOnceAreAnswered(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	c := client(t, httpsubmit.Options{})
	var all sync.WaitGroup
	for range 200 { // more than connections are kept for
		all.Go(func() {
			if a, r := c.Do(post(t, t.Context(), s.URL)); r != nil || a.Status != http.StatusOK {
				t.Errorf("Do = %+v, %+v; want 200", a, r)
			}
		})
	}
	all.Wait()
}

func TestStatusesHaveClasses(t *testing.T) {
	t.Parallel()
	for class, statuses := range map[delivery.Class][]int{
		delivery.Accepted:  {200, 201, 202, 204},
		delivery.Permanent: {400, 404, 405, 409, 410, 413, 415, 422},
		delivery.Config:    {301, 302, 307, 308, 401, 402, 403, 407, 501, 505, 0, 999},
		delivery.Retry:     {408, 425, 429, 500, 503, 522},
		delivery.Uncertain: {502, 504, 520, 524},
	} {
		for _, status := range statuses {
			r := httpsubmit.Classify(httpsubmit.Answer{Status: status}, time.Time{})
			if r.Class != class || (r.Failure.Code == "") != (class == delivery.Accepted) {
				t.Errorf("Classify(%d) = %+v; want %v", status, r, class)
			}
		}
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"soon":                          0,
		"-1":                            0,
		"1.5":                           0,
		"0":                             time.Second,
		" 7 ":                           7 * time.Second,
		"99999":                         24 * time.Hour,
		"99999999999999999999999":       24 * time.Hour,
		"Sun, 22 Nov 2026 02:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 01:00:00 GMT": time.Second,
		"Sun, 22 Nov 2099 01:00:00 GMT": 24 * time.Hour,
	} {
		h := http.Header{"Retry-After": {text}}
		if got := httpsubmit.RetryAfter(h, now); got != want {
			t.Errorf("RetryAfter(%q) = %v; want %v", text, got, want)
		}
		if r := httpsubmit.Classify(httpsubmit.Answer{Status: 429, Header: h}, now); r.After != want {
			t.Errorf("Classify(429, Retry-After %q).After = %v; want %v", text, r.After, want)
		}
	}
}
