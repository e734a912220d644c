package movein_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/movein"
	"github.com/countersign/countersign/internal/store/postgres"
)

// patience is longer than any test.
const patience = time.Hour

// waiting is a move whose commit waits for a standby that is not there.
type waiting struct {
	t         *testing.T
	cluster   *pgtest.Cluster
	watch     *pgx.Conn
	from      string
	counts    map[string]int64
	interrupt context.CancelFunc
	ended     chan error // what Run returned
}

// atItsCommit begins a move that waits at its commit, which goes on for more once
// it is interrupted.
func atItsCommit(t *testing.T, more time.Duration) *waiting {
	t.Helper()
	cluster := pgtest.Start(t)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: cluster.URL(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w := &waiting{t: t, cluster: cluster, watch: connect(t, cluster.AdminURL()), ended: make(chan error, 1)}
	w.from, w.counts = filled(t, cluster.URL())
	cluster.SetSynchronous(t, "nobody")
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w.interrupt = cancel
	go func() {
		_, err := movein.Run(ctx, movein.Config{From: w.from, To: cluster.URL(), More: more})
		w.ended <- err
	}()
	for waits := false; !waits; {
		select {
		case err := <-w.ended:
			t.Fatalf("Run = %v before its commit waited", err)
		default:
		}
		if err := w.watch.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// quarantined tells whether the source is.
func (w *waiting) quarantined() bool {
	w.t.Helper()
	return len(texts(w.t, openFile(w.t, w.from), "SELECT value FROM versions WHERE name = 'quarantine' AND value <> 0")) == 1
}

// release lets commits go through and waits for the one that waits, which holds
// the tables.
func (w *waiting) release() {
	w.t.Helper()
	w.cluster.SetSynchronous(w.t, "")
	for waits := true; waits; {
		if err := w.watch.QueryRow(w.t.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')").Scan(&waits); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A server that were started on the source would be live beside the target (D-10,
// V-07).
func TestAMoveThatIsToEndAmidItsCommitWaitsForItAndQuarantinesItsSource(t *testing.T) {
	t.Parallel()
	w := atItsCommit(t, patience)
	w.interrupt()
	w.release()
	if err := <-w.ended; errors.Is(err, movein.ErrUnknown) {
		t.Errorf("Run = %v; want that the commit was waited for", err)
	}
	if n := rows(t, w.cluster.URL(), w.counts); n == 0 {
		t.Error("nothing was moved")
	}
	if !w.quarantined() {
		t.Error("everything was moved, and the source is live beside the target")
	}
}

func TestAMoveThatDoesNotHearOfItsCommitSaysSoAndASecondRunFindsIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*waiting){
		"interrupted": func(w *waiting) { w.interrupt() },
		"cut off": func(w *waiting) {
			if _, err := w.watch.Exec(w.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); err != nil {
				w.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := atItsCommit(t, time.Millisecond)
			end(w)
			if err := <-w.ended; !errors.Is(err, movein.ErrUnknown) {
				t.Errorf("Run = %v; want ErrUnknown", err)
			}
			if w.quarantined() {
				t.Error("the source is quarantined though it may be all there is")
			}
			w.release()
			report, err := movein.Run(t.Context(), movein.Config{From: w.from, To: w.cluster.URL()})
			if err != nil || !report.Again || !w.quarantined() {
				t.Errorf("a second run: again %v, %v, source quarantined %v; want that it finds everything and quarantines the source", report.Again, err, w.quarantined())
			}
		})
	}
}
