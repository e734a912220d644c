package callback_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// rig is a pusher over a real database, with a clock that tests turn.
type rig struct {
	*storetest.Outbox
	t     *testing.T
	db    testdb.Database
	store testdb.Store
	close func()
	wall  *storetest.Wall // nil: the clock goes by itself
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, wall: &storetest.Wall{}, db: testdb.New(t)}
	r.open()
	r.Outbox = storetest.NewOutbox(t, r.store)
	return r
}

// newLiveRig is a rig whose clock goes by itself.
func newLiveRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: testdb.New(t)}
	r.open()
	r.Outbox = storetest.NewOutbox(t, r.store)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var wall func() time.Time
	if r.wall != nil {
		wall = r.wall.Now
	}
	s := r.db.Open(r.t, wall, nil)
	r.store = s
	r.close = sync.OnceFunc(func() {
		if err := s.Close(); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(r.close)
}

// restart closes the database and opens it anew.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
	r.Outbox = r.Reopened(r.store)
}

// config is a pusher's that may reach loopback and draws the shortest waits.
func (r *rig) config() callback.Config {
	c := callback.Config{
		Store: r.store, Keys: r.Keys, Guard: callback.NewGuard(callback.GuardConfig{AllowPrivate: true}),
		Version: "1.2.3", Now: r.store.Now, Node: "n1", Random: constant(0), Log: slog.New(slog.DiscardHandler), Timeout: patience,
	}
	if r.wall != nil {
		c.Wall = r.wall.Now
	}
	return c
}

// pusher is one of config, changed by changes.
func (r *rig) pusher(changes ...func(*callback.Config)) *callback.Pusher {
	c := r.config()
	for _, change := range changes {
		change(&c)
	}
	return callback.New(c).Patient(patience)
}

// constant is a source of one byte.
type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

// step makes one Step that posts want callbacks.
func step(t *testing.T, p *callback.Pusher, want int) {
	t.Helper()
	if n, err := p.Step(t.Context()); n != want || err != nil {
		t.Fatalf("Step posted %d, %v, want %d", n, err, want)
	}
}

// run runs the pusher until the returned function has been called, which
// waits for its end.
func run(t *testing.T, p *callback.Pusher) (stop func()) {
	t.Helper()
	ctx, cancel := contextOf(t)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run = %v", err)
				}
			case <-time.After(patience):
				t.Error("Run did not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// request is a POST as a receiver saw it.
type request struct {
	method string
	uri    string
	header http.Header
	body   string
}

// receiver is a customer's endpoint that records what it gets.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex // guards what follows
	got   []request
	conns int
	came  chan struct{} // one for each request, as far as it has room
}

// receive starts a receiver that answers the n-th request, from 1, by answer.
func receive(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := &receiver{came: make(chan struct{}, 10_000)}
	rec.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rec.mu.Lock()
		rec.got = append(rec.got, request{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		n := len(rec.got)
		rec.mu.Unlock()
		rec.came <- struct{}{}
		answer(n, w, r)
	}))
	rec.Config.ConnState = countConns(rec)
	rec.Start()
	t.Cleanup(rec.Close)
	return rec
}

// wait blocks until n more requests came.
func (rec *receiver) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for i := range n {
		select {
		case <-rec.came:
		case <-deadline:
			t.Fatalf("%d requests came, want %d", i, n)
		}
	}
}

// requests returns what came so far.
func (rec *receiver) requests() []request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]request(nil), rec.got...)
}

// statuses answers with one status after the other, then with the last.
func statuses(list ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(list[min(n, len(list))-1])
	}
}

// to configures account Acme to push to url.
func (r *rig) to(url string) string {
	id, _ := r.Configure(storetest.Acme, catalog.Callback{URL: url})
	return id
}

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

func countConns(rec *receiver) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			rec.mu.Lock()
			rec.conns++
			rec.mu.Unlock()
		}
	}
}

// connections returns how many connections came so far.
func (rec *receiver) connections() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.conns
}

// statusOf is the body's status.
func statusOf(t *testing.T, q request) string { return memberOf(t, q, "status") }

func memberOf(t *testing.T, q request, name string) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(q.body), &body); err != nil {
		t.Errorf("body %q: %v", q.body, err)
	}
	text, _ := body[name].(string)
	return text
}
