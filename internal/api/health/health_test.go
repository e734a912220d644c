package health_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/api/health"
)

type database struct{ broken atomic.Bool }

func (d *database) Ping(context.Context) error {
	if d.broken.Load() {
		return errors.New("disk gone")
	}
	return nil
}

func status(t *testing.T, mux http.Handler, method, path string) int {
	t.Helper()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Code
}

func TestReadinessFollowsTheDatabaseAndLivenessDoesNot(t *testing.T) {
	t.Parallel()
	db, mux := &database{}, http.NewServeMux()
	health.New(db, slog.New(slog.DiscardHandler)).Register(mux)
	for _, c := range []struct {
		broken      bool
		live, ready int
	}{{false, 200, 200}, {true, 200, 503}, {false, 200, 200}} {
		db.broken.Store(c.broken)
		if live, ready := status(t, mux, "GET", "/livez"), status(t, mux, "GET", "/readyz"); live != c.live || ready != c.ready {
			t.Errorf("database broken %v: /livez %d, /readyz %d; want %d, %d", c.broken, live, ready, c.live, c.ready)
		}
	}
}

// asked is a database that answers as long as somebody waits for it.
type asked struct{ bounded bool }

func (a *asked) Ping(ctx context.Context) error {
	_, a.bounded = ctx.Deadline()
	return ctx.Err()
}

// net/http takes a client for gone that closed its sending side, as some probes do.
func TestReadinessIsThatOfTheDatabaseThoughItsCallerSeemsGone(t *testing.T) {
	t.Parallel()
	db, mux := &asked{}, http.NewServeMux()
	health.New(db, slog.New(slog.DiscardHandler)).Register(mux)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusOK || !db.bounded {
		t.Errorf("/readyz = %d %s, asked with a bound = %v; want 200, true", w.Code, w.Body, db.bounded)
	}
}

func TestADrainingServerIsAliveAndNotReady(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	h := health.New(&database{}, slog.New(slog.DiscardHandler))
	h.Register(mux)
	h.Drain()
	if live, ready := status(t, mux, "GET", "/livez"), status(t, mux, "GET", "/readyz"); live != 200 || ready != 503 {
		t.Errorf("/livez %d, /readyz %d; want 200, 503", live, ready)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	health.New(&database{}, slog.New(slog.DiscardHandler)).Register(mux)
	if got := status(t, mux, "POST", "/readyz"); got != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz = %d; want 405", got)
	}
}
