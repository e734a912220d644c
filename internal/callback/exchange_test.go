package callback_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

// mortal is a receiver below HTTP. It answers its first requests with 200 when
// as many have come, each over a connection of its own. Of every later one it
// dies when it has read it; on a new connection only if it stays dead.
type mortal struct {
	first int
	dead  bool // stays so
	reset bool // connections end by a reset

	mu  sync.Mutex // guards n
	n   int
	all chan struct{} // closed when the first have come
}

// serve starts m and returns its URL.
func (m *mortal) serve(t *testing.T) string {
	t.Helper()
	m.all = make(chan struct{})
	return listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for served := 0; ; served++ {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			n := m.count(1)
			if n == m.first {
				close(m.all)
			}
			if n > m.first && (served > 0 || m.dead) {
				if m.reset {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				return
			}
			<-m.all
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
}

// count adds to how many requests came, and returns it.
func (m *mortal) count(more int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n += more
	return m.n
}

// listen serves each connection to the URL that it returns; those that are
// left end with the test.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards open
	var open []net.Conn
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}

// tester is a pusher without a queue, for Test, and what it posts to url.
func tester(t *testing.T, url string, changes ...func(*callback.Config)) (*callback.Pusher, callback.Post) {
	t.Helper()
	c := callback.Config{
		Keys: plainKeys{}, Guard: callback.NewGuard(callback.GuardConfig{AllowPrivate: true}), Log: slog.New(slog.DiscardHandler),
		Timeout: patience,
	}
	for _, change := range changes {
		change(&c)
	}
	return callback.New(c).Patient(patience), callback.Post{URL: url, Secret: []byte(mustSecret(t, 1).Reveal())}
}

func TestAPostIsMadeAgainOnceHoweverManyConnectionsAreIdle(t *testing.T) {
	t.Parallel()
	const idle = 8
	for _, c := range []struct {
		name        string
		dead, reset bool
		headers     string
		problem     string
	}{
		{"the receiver lives again", false, false, "", ""},
		{"and resets connections", false, true, "", ""},
		{"and gets a key of the customer's", false, false, `[{"Name":"Idempotency-Key","Value":"mine"}]`, ""},
		{"the receiver stays dead", true, false, "", callback.ProblemConnection},
		{"and resets", true, true, "", callback.ProblemConnection},
		{"and gets a key", true, false, `[{"Name":"X-Idempotency-Key","Value":"mine"}]`, callback.ProblemConnection},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := &mortal{first: idle, dead: c.dead, reset: c.reset}
			p, to := tester(t, m.serve(t))
			if c.headers != "" {
				to.Headers = []byte(c.headers)
			}
			p.KeepIdle(time.Hour)
			var primed sync.WaitGroup
			for range idle {
				primed.Go(func() {
					if o := p.Test(t.Context(), to); !o.Received {
						t.Errorf("while all was well: %+v", o)
					}
				})
			}
			primed.Wait()
			if o := p.Test(t.Context(), to); o.Problem != c.problem || o.Received != (c.problem == "") {
				t.Errorf("outcome %+v, want problem %q", o, c.problem)
			}
			if n := m.count(0) - idle; n != 2 {
				t.Errorf("%d POSTs of one attempt, want 2", n)
			}
		})
	}
}

func TestAPostThatANewConnectionBreaksOnIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	m := &mortal{dead: true}
	p, to := tester(t, m.serve(t))
	if o := p.Test(t.Context(), to); o.Problem != callback.ProblemConnection {
		t.Errorf("outcome %+v, want problem %q", o, callback.ProblemConnection)
	}
	if n := m.count(0); n != 1 {
		t.Errorf("%d POSTs of one attempt, want 1", n)
	}
}
