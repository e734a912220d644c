package browsertest_test

import (
	"bytes"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the database of a server that is stopped
)

// receiver is where callbacks go. It refuses them until it is mended.
type receiver struct {
	url       string
	mended    atomic.Bool
	took      atomic.Int64 // events
	attempted chan struct{}
}

func receive(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{attempted: make(chan struct{}, 64)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !r.mended.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			select {
			case r.attempted <- struct{}{}:
			default:
			}
			return
		}
		r.took.Add(1)
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// bury makes dead letters: events that the receiver has refused, and that have,
// for all the database says, been tried as often as they ever are. Nine hours
// are too long to wait.
func (s *server) bury(t testing.TB, r *receiver) {
	t.Helper()
	s.post(t, "/2fa/v4/configurations/callbacks", map[string]any{"url": r.url + "/events"})
	s.send(t, "+4915112341000", "browser")
	select {
	case <-r.attempted:
	case <-time.After(patience):
		t.Fatal("no callback was attempted")
	}
	s.stop(t)
	db, err := sql.Open("sqlite", filepath.Join(s.data, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "UPDATE callbacks SET attempts = 7, due_at = 1, lease_node = NULL WHERE due_at IS NOT NULL")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		cmd := exec.CommandContext(t.Context(), s.binary, "callback", "list", "--dead")
		cmd.Env = s.environ
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(out)) > 0 {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("no dead letter came to be")
		}
	}
	r.mended.Store(true)
}
