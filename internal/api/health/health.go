// Package health answers the two questions that whatever runs a server asks of
// it: is the process alive, and should it get requests.
package health

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// pingTimeout bounds how long readiness waits for the database: who asks gives
// up soon after.
const pingTimeout = 2 * time.Second

// Database is what readiness asks.
type Database interface {
	// Ping returns nil if the database answers and this version runs on its schema,
	// an error that is ErrSchema if it does not.
	Ping(ctx context.Context) error
}

// ErrSchema is what Ping returns where the database answers and this version does
// not run on its schema.
var ErrSchema = errors.New("this version does not run on the database's schema")

var errPingTimeout = errors.New("the database did not answer in time")

// Health tells how the server is. It is safe for concurrent use.
type Health struct {
	database Database
	log      *slog.Logger
	draining atomic.Bool
	unready  atomic.Bool // what was answered last, so that only changes are logged
}

// New returns the health of a server that stands on database.
func New(database Database, log *slog.Logger) *Health {
	return &Health{database: database, log: log}
}

// Drain makes the server unready for good: it is about to stop.
func (h *Health) Drain() { h.draining.Store(true) }

// Register adds GET /livez and GET /readyz, which need no key.
func (h *Health) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("GET /readyz", h.ready)
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		answer(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	// Who asks may have closed its sending side, which net/http takes for leaving;
	// that says nothing of the database.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(r.Context()), pingTimeout, errPingTimeout)
	defer cancel()
	err := h.database.Ping(ctx)
	if was := h.unready.Swap(err != nil); was != (err != nil) {
		if err != nil {
			h.log.WarnContext(ctx, "not ready", slog.Any("err", err))
		} else {
			h.log.InfoContext(ctx, "ready again")
		}
	}
	switch {
	case errors.Is(err, ErrSchema):
		answer(w, http.StatusServiceUnavailable, ErrSchema.Error()+"\n")
	case err != nil:
		answer(w, http.StatusServiceUnavailable, "the database does not answer\n")
	default:
		answer(w, http.StatusOK, "ready\n")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
