package callback_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
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

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/freeport"
	"github.com/countersign/countersign/internal/store/storetest"
)

// deaf counts connections and answers none of them.
func deaf(t *testing.T) (addr string, connections *atomic.Int64) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	var mu sync.Mutex // guards open
	var open []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	})
	return l.Addr().String(), &n
}

// only makes one attempt and returns what is known of it.
func only(t *testing.T, r *rig, p *callback.Pusher) (status int, problem string) {
	t.Helper()
	step(t, p, 1)
	letters, err := r.Letters(t.Context(), "", false, 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("letters %+v, %v; want one", letters, err)
	}
	return letters[0].LastStatus, letters[0].LastProblem
}

func TestANameThatResolvesToARefusedAddressIsNotConnectedTo(t *testing.T) {
	t.Parallel()
	addr, connections := deaf(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		answers []string
	}{
		{"to loopback", []string{"127.0.0.1"}},
		{"to loopback in IPv6 and IPv4", []string{"::1", "127.0.0.1"}},
		{"to an IPv4-mapped address", []string{"::ffff:127.0.0.1"}},
		{"to metadata", []string{"169.254.169.254"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.to("http://client.example.com:" + port + "/x") // stored: it is a name
			r.Send(storetest.Acme).Dispatch()
			p := r.pusher(func(cfg *callback.Config) { cfg.Guard = nil }) // public addresses only
			p.ResolveBy(answering(t, c.answers...))
			if status, problem := only(t, r, p); status != 0 || problem != callback.ProblemAddress {
				t.Errorf("status %d, problem %q, want %q", status, problem, callback.ProblemAddress)
			}
		})
	}
	t.Cleanup(func() {
		if n := connections.Load(); n != 0 {
			t.Errorf("%d connections were made", n)
		}
	})
}

func TestProblemsAreNamed(t *testing.T) {
	t.Parallel()
	silent, _ := deaf(t)
	garbage := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = c.Write([]byte("220 mail.example.com ESMTP\r\n"))
		_ = c.Close()
	})
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := receive(t, statuses(200))
	public := func(c *callback.Config) { c.Guard = nil }
	for _, c := range []struct {
		name, url string
		change    func(*callback.Config)
		want      string
	}{
		{"silent", "http://" + silent, func(c *callback.Config) { c.Timeout = 50 * time.Millisecond }, callback.ProblemTimeout},
		{"nobody listens", "http://" + freeport.Address(t), nil, callback.ProblemConnect},
		{"not HTTP", garbage.URL, nil, callback.ProblemConnection},
		{"certificate not trusted", untrusted.URL, nil, callback.ProblemTLS},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, callback.ProblemTLS},
		{"literal address, refused since it was stored", plain.URL, public, callback.ProblemAddress},
		{"http, refused since it was stored", plain.URL, func(c *callback.Config) {
			c.Guard = callback.NewGuard(callback.GuardConfig{AllowPrivate: true, RequireHTTPS: true})
		}, callback.ProblemURL},
		{"other keys", plain.URL, func(c *callback.Config) { c.Keys = noKeys{} }, callback.ProblemSealed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.to(c.url)
			r.Send(storetest.Acme).Dispatch()
			change := c.change
			if change == nil {
				change = func(*callback.Config) {}
			}
			if status, problem := only(t, r, r.pusher(change)); status != 0 || problem != c.want {
				t.Errorf("status %d, problem %q, want %q", status, problem, c.want)
			}
		})
	}
	t.Cleanup(func() {
		if n := len(plain.requests()); n != 0 {
			t.Errorf("%d requests came where none may", n)
		}
	})
}

type noKeys struct{}

func (noKeys) Open([]byte, ...string) ([]byte, error) {
	return nil, errors.New("sealed for somebody else")
}

func TestATrustedCertificateIsAccepted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var came atomic.Int64
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came.Add(1) }))
	t.Cleanup(s.Close)
	r.to(s.URL)
	r.Send(storetest.Acme).Dispatch()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	step(t, r.pusher(func(c *callback.Config) { c.RootCAs = roots }), 1)
	if came.Load() != 1 {
		t.Error("nothing came")
	}
}

func TestAnAllowedNetworkIsReached(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(200))
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(func(c *callback.Config) {
		c.Guard = callback.NewGuard(callback.GuardConfig{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	}), 1)
	if len(w1.requests()) != 1 {
		t.Error("nothing came")
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cut := make(chan struct{})
	w1 := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		defer close(cut)
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher(func(c *callback.Config) { c.Timeout = 2 * patience }) // not what ends it
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n, err := p.Step(t.Context()); n != 1 || err != nil {
			t.Errorf("Step = %d, %v", n, err)
		}
	}()
	select {
	case <-cut:
	case <-time.After(patience):
		t.Error("the answer is still read")
	}
	<-done
	if letters, err := r.Letters(t.Context(), "", false, 10); err != nil || len(letters) != 0 {
		t.Errorf("letters %+v, %v; want it received", letters, err)
	}
}

// queueOf is a store with one post, for tests in a bubble of virtual time.
type queueOf struct {
	callback.Store
	posts    []callback.Post
	outcomes []callback.Outcome
}

func (q *queueOf) ClaimCallbacks(context.Context, callback.Claim) ([]callback.Post, time.Time, error) {
	posts := q.posts
	q.posts = nil
	return posts, time.Time{}, nil
}

func (q *queueOf) RecordPosts(_ context.Context, outcomes []callback.Outcome) error {
	q.outcomes = append(q.outcomes, outcomes...)
	return nil
}

type plainKeys struct{}

func (plainKeys) Open(sealed []byte, _ ...string) ([]byte, error) { return sealed, nil }

func TestAnAttemptEndsAfterTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{posts: []callback.Post{{ID: "1", URL: "http://client.example.com", Secret: []byte(mustSecret(t, 1).Reveal())}}}
		p := callback.New(callback.Config{Store: q, Keys: plainKeys{}, Log: slog.New(slog.DiscardHandler)})
		var ends []net.Conn
		p.DialBy(func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe() // nobody reads at the far end
			ends = append(ends, far)
			return near, nil
		})
		start := time.Now()
		if n, err := p.Step(t.Context()); n != 1 || err != nil {
			t.Fatalf("Step = %d, %v", n, err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("the attempt took %s, want 10 s", took)
		}
		if o := q.outcomes[0]; o.Problem != callback.ProblemTimeout || o.Latency != 10*time.Second {
			t.Errorf("outcome %+v", o)
		}
		for _, c := range ends {
			_ = c.Close()
		}
		synctest.Wait()
	})
}

func TestLogsNameTheConfigurationAndNothingOfItsURL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := freeport.Address(t)
	_, port, _ := strings.Cut(at, ":")
	id, signing := r.Configure(storetest.Acme, catalog.Callback{
		URL:     "http://canaryuser:canarypass@" + at + "/canarypath?canaryquery=1",
		Headers: []catalog.Header{{Name: "Authorization", Value: "canaryheader"}},
	})
	sent := r.Send(storetest.Acme)
	sent.Dispatch()
	var out bytes.Buffer
	p := r.pusher(func(c *callback.Config) {
		c.Log = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for range 8 {
		step(t, p, 1)
		r.wall.Add(8 * time.Hour)
	}
	for _, secret := range []string{"canary", "127.0.0.1", port + "/", strings.TrimPrefix(signing.Reveal(), "whsec_")} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, out.String())
		}
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if diff := cmp.Diff(8, len(lines)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	last := lines[len(lines)-1]
	for _, want := range []string{id, `"problem":"connect"`, `"status":0`, `"level":"WARN"`} {
		if !strings.Contains(last, want) {
			t.Errorf("%s is not in %s", want, last)
		}
	}
}
