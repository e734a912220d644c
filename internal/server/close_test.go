package server_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/server"
)

func TestClosingIsWaitedForUnlessWhoeverWaitsIsStopped(t *testing.T) {
	t.Parallel()
	const bound = 5 * time.Second
	errLast := errors.New("the last checkpoint")
	for name, c := range map[string]struct {
		takes, stop time.Duration
		want        error
		waits       time.Duration
	}{
		"nobody stops it":           {time.Hour, 24 * time.Hour, errLast, time.Hour},
		"it ends in time":           {bound + time.Second, 2 * time.Second, errLast, bound + time.Second},
		"it ends too late":          {time.Hour, 2 * time.Second, nil, bound + 2*time.Second},
		"it was stopped before":     {time.Hour, 0, nil, bound},
		"it is done when it begins": {0, 0, errLast, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.stop == 0 {
					cancel()
				}
				time.AfterFunc(c.stop, cancel)
				begin := time.Now()
				err := server.CloseWithin(ctx, func() error { time.Sleep(c.takes); return errLast }, bound, slog.New(slog.DiscardHandler))
				if waited := time.Since(begin); !errors.Is(err, c.want) || waited != c.waits {
					t.Errorf("returned %v after %s; want %v after %s", err, waited, c.want, c.waits)
				}
				time.Sleep(2 * time.Hour) // what was left ends too
			})
		})
	}
}

// D-09: whoever ends a server is not kept by a database that does not answer.
func TestAServerThatIsStoppedLeavesACommitThatWaitsToTheDatabase(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	url := pgtest.Schema(t, cluster.URL())
	s := &server.Server{Config: settings(t, t.TempDir(), environ(url)...), Notice: time.Millisecond}
	s.LeaveAfter(100 * time.Millisecond)
	r := launchServer(t, s).await()
	admin, err := sql.Open("pgx", cluster.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	backends := func(that string) (n int) {
		err := admin.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND "+that).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	waits := func() bool { return backends("wait_event = 'SyncRep'") > 0 }
	cluster.SetSynchronous(t, "nobody")
	go func() { // its answer does not matter
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/2fa/v4/templates/sms",
			strings.NewReader(`{"name":"login","language":"en","message":"{{otp_code}}"}`))
		if err != nil {
			return
		}
		req.Header.Set("apiKey", r.key)
		if resp, err := r.client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	eventually(t, "a commit waits", waits, r.log.String)
	if err := r.stop(); err != nil {
		t.Errorf("the end: %v; want nil", err)
	}
	if !strings.Contains(r.log.String(), "level=WARN msg=\"the database takes too long") || !waits() {
		t.Errorf("want a commit that waits and a word of it; logged\n%s", r.log)
	}
	cluster.SetSynchronous(t, "")
	eventually(t, "what was left ends", func() bool { return backends("true") == 0 }, r.log.String)
}
