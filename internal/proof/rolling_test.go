package proof_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// door is a load balancer: it asks nodes whether they are ready and sends
// requests to those that were. It repeats none.
type door struct {
	mu    sync.Mutex // guards what follows
	nodes []*process
	ready map[*process]bool
	next  int
}

// asksEvery is how often a door asks; a node that drains waits longer than that
// before it turns anybody away.
const asksEvery = 200 * time.Millisecond

func (d *door) add(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes = append(d.nodes, p)
}

func (d *door) remove(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes = slices.DeleteFunc(slices.Clone(d.nodes), func(q *process) bool { return q == p })
	delete(d.ready, p)
}

// watch asks every node until ctx ends.
func (d *door) watch(ctx context.Context) {
	for ctx.Err() == nil {
		d.mu.Lock()
		nodes := d.nodes
		d.mu.Unlock()
		for _, p := range nodes {
			status, _, err := p.do(ctx, http.MethodGet, "/readyz", "", nil)
			d.mu.Lock()
			d.ready[p] = err == nil && status == http.StatusOK
			d.mu.Unlock()
		}
		select {
		case <-ctx.Done():
		case <-time.After(asksEvery):
		}
	}
}

func (d *door) ask(ctx context.Context, c call) (answer, *process, error) {
	d.mu.Lock()
	var p *process
	for range d.nodes {
		d.next = (d.next + 1) % len(d.nodes)
		if d.ready[d.nodes[d.next]] {
			p = d.nodes[d.next]
			break
		}
	}
	d.mu.Unlock()
	if p == nil {
		return answer{}, nil, errNobody
	}
	a, err := p.makeAdvised(ctx, c)
	return a, p, err
}

// roll replaces every node in turn under load, with migrations beside them, and
// shows that no request is refused or broken (D-09, D-11).
func roll(t *testing.T, rounds int, pause time.Duration) {
	t.Helper()
	url := pgtest.URL(t)
	f := &fleet{t: t}
	several(t, f, url)
	db := open(t, url)
	d := &door{ready: map[*process]bool{}}
	for i := range f.nodes {
		d.add(f.node(i))
	}
	c := newChronicle(f)
	c.patient, c.pause, c.ask = true, pause, d.ask
	c.configure()
	watched, unwatch := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { d.watch(watched) })
	defer watching.Wait()
	defer unwatch()
	eventually(t, "a ready node", patience, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.ready[f.nodes[0]]
	})
	restarts, slowest := 0, time.Duration(0)
	underLoad(t, c, "rolling restart", func() {
		rest(time.Second)
		for round := range rounds {
			if round == rounds-1 {
				// What a newer version's migrate does while these nodes run.
				for _, q := range []string{
					`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)`,
					`INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 1) ON CONFLICT (name) DO UPDATE SET value = 1`,
				} {
					if _, err := db.ExecContext(t.Context(), q); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range f.nodes {
				f.command("migrate")
				old := f.node(i)
				begun := time.Now()
				old.signal(syscall.SIGTERM)
				select {
				case <-old.gone():
				case <-time.After(patience):
					t.Fatalf("node %d does not end\n%s", i, old.log)
				}
				slowest = max(slowest, time.Since(begun))
				if code := old.cmd.ProcessState.ExitCode(); code != 0 {
					t.Errorf("node %d ended with %d, want 0\n%s", i, code, old.log)
				}
				d.remove(old)
				d.add(f.start(i))
				restarts++
				rest(2 * asksEvery)
			}
		}
	})
	t.Logf("%d restarts, the slowest end took %v", restarts, slowest.Round(time.Millisecond))
	if c.refused > 0 || c.counts[unknown] > 0 {
		t.Errorf("%d requests were refused and %d broken by the restarts, want none (D-09)", c.refused, c.counts[unknown])
	}
	if slowest > 15*time.Second {
		t.Errorf("a node took %v to end, want 15 s at most (D-09)", slowest)
	}
}

// several migrates and starts at once what is to be one deployment.
func several(t *testing.T, f *fleet, url string) {
	t.Helper()
	made := newFleet(t, url, 0, nodeSettings()...)
	f.url, f.environ, f.nodes = made.url, made.environ, make([]*process, 3)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, log, err := f.try(t.Context(), "migrate"); err != nil {
				t.Errorf("migrate beside others: %v\n%s", err, log)
			}
		})
	}
	all.Wait()
	for i := range f.nodes {
		f.start(i)
	}
	db := open(t, url)
	if n := count(t, db, "SELECT count(*) FROM accounts"); n != 1 {
		t.Errorf("3 nodes made %d accounts, want 1", n)
	}
	if n := count(t, db, "SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version WHERE is_applied"); n != 0 {
		t.Errorf("%d migrations were done twice", n)
	}
}

func TestARollingRestartRefusesNothing(t *testing.T) {
	t.Parallel()
	roll(t, 2, 20*time.Millisecond)
}

// The test runs alone: others would take the time that it measures.
func TestARevokedKeyIsRefusedByEveryNodeWithinASecond(t *testing.T) { //nolint:paralleltest // see above
	f := newFleet(t, pgtest.Ready(t), 3)
	slowest := time.Duration(0)
	const keys = 5
	for range keys {
		key := f.command("key", "create", "--account", "default")
		status := func(p *process) int {
			a, err := p.make(t.Context(), call{http.MethodGet, "/2fa/v1/application", "", map[string]string{"apiKey": key}})
			if err != nil {
				t.Fatal(err)
			}
			return a.status
		}
		for i := range f.nodes {
			eventually(t, "the new key", patience, func() bool { return status(f.node(i)) == http.StatusOK })
		}
		f.command("key", "revoke", keyID(key))
		revoked := time.Now()
		for i := range f.nodes {
			eventually(t, "the key's end", patience, func() bool { return status(f.node(i)) == http.StatusForbidden })
			slowest = max(slowest, time.Since(revoked))
		}
	}
	t.Logf("%d keys revoked on 3 nodes, the slowest %v after the command", keys, slowest.Round(time.Millisecond))
	if slowest > time.Second {
		t.Errorf("a revoked key was accepted for %v, want 1 s at most (K-03)", slowest)
	}
}

// keyID is the id in a key that the program made: otp_live_ID_….
func keyID(key string) string {
	parts := strings.SplitN(key, "_", 4)
	return parts[2]
}
