package live_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/console/live"
)

// sink is a response that remembers what was written when.
type sink struct {
	mu    sync.Mutex // guards text
	text  strings.Builder
	begun time.Time
	head  http.Header
}

func (s *sink) Header() http.Header { return s.head }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Flush()              {}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range strings.Lines(string(b)) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "data: "); found {
			s.text.WriteString(time.Since(s.begun).String() + " " + name + "\n")
		}
	}
	return len(b), nil
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestAPokeIsToldAtOnceAndWhatOthersDidWithinASecond(t *testing.T) {
	t.Parallel()
	toldOf(t, func(s live.Source) live.Source { return s }, "0s open\n400ms a\n1s a\n")
}

func TestWhatOthersDidIsToldWithinAQuarterOfASecondWhereALookIsCheap(t *testing.T) {
	t.Parallel()
	toldOf(t, live.Soon, "0s open\n400ms a\n750ms a\n")
}

// toldOf checks what a page is told of a change that pokes after 400 ms, and of
// one by another node after 600 ms.
func toldOf(t *testing.T, as func(live.Source) live.Source, want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		var version atomic.Int64
		hub := &live.Hub{}
		ctx, leave := context.WithCancel(t.Context())
		w := &sink{begun: time.Now(), head: http.Header{}}
		done := make(chan error, 1)
		go func() {
			sources := map[string]live.Source{"a": as(live.SourceFunc(func(context.Context, string, string) (string, error) {
				return strconv.FormatInt(version.Load(), 10), nil
			}))}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			done <- hub.Serve(w, r, sources, live.Request{
				Account: "acme", Topics: []string{"a"}, Valid: func(context.Context) bool { return true },
			})
		}()
		time.Sleep(400 * time.Millisecond)
		version.Store(1)
		hub.Poke("acme")
		synctest.Wait()
		hub.Poke("acme") // nothing new
		time.Sleep(200 * time.Millisecond)
		version.Store(2) // by another node
		hub.Poke("other")
		time.Sleep(time.Second)
		leave()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if got := w.String(); got != want {
			t.Errorf("told\n%swant\n%s", got, want)
		}
	})
}

func TestTheHubEndsItsStreamsAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	hub := &live.Hub{}
	run, end := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- hub.Run(run) }()
	serve := func(name string) error {
		sources := map[string]live.Source{"a": live.SourceFunc(func(context.Context, string, string) (string, error) { return "", nil })}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		return hub.Serve(&sink{begun: time.Now(), head: http.Header{}}, r, sources, live.Request{
			Account: name, Topics: []string{"a"}, Valid: func(context.Context) bool { return true },
		})
	}
	served := make(chan error, 1)
	go func() { served <- serve("acme") }()
	end()
	if err := <-stopped; err != nil {
		t.Errorf("Run = %v", err)
	}
	if err := <-served; err != nil && err != live.ErrFull { //nolint:errorlint // it is not wrapped
		t.Errorf("Serve = %v", err)
	}
	if err := serve("acme"); err != live.ErrFull { //nolint:errorlint // it is not wrapped
		t.Errorf("Serve after the end = %v, want ErrFull", err)
	}
	hub.Poke("") // wakes nobody, breaks nothing
}

// D-14: the pages of one account leave those of others room to be live.
func TestTheStreamsOfOneAccountLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := &live.Hub{}
		sources := map[string]live.Source{"a": live.SourceFunc(func(context.Context, string, string) (string, error) { return "", nil })}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		var open sync.WaitGroup
		// stream opens one and reports whether there was room.
		stream := func(ctx context.Context, account string) bool {
			w := &sink{begun: time.Now(), head: http.Header{}}
			refused := make(chan error, 1)
			open.Go(func() {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				refused <- hub.Serve(w, r, sources, live.Request{Account: account, Topics: []string{"a"}, Valid: func(context.Context) bool { return true }})
			})
			synctest.Wait()
			select {
			case err := <-refused:
				if !errors.Is(err, live.ErrFull) {
					t.Errorf("Serve = %v; want ErrFull", err)
				}
				return false
			default:
				return true
			}
		}
		one, leaveOne := context.WithCancel(ctx)
		if !stream(one, "acme") {
			t.Error("the first page is refused")
		}
		for i := range 63 {
			if !stream(ctx, "acme") {
				t.Errorf("page %d of an account is refused", i+2)
			}
		}
		if stream(ctx, "acme") || !stream(ctx, "other") {
			t.Error("the 65th page of an account got room, or the first of another got none")
		}
		leaveOne()
		synctest.Wait()
		if !stream(ctx, "acme") {
			t.Error("the place of a page that was left is not given again")
		}
		leave()
		open.Wait()
	})
}
