package proof_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
)

// door is a load balancer: it asks nodes whether they are ready and sends
// requests to those that were. It repeats none.
type door struct {
	ctx     context.Context //nolint:containedctx // of those that ask
	asking  sync.WaitGroup
	mu      sync.Mutex // guards what follows
	nodes   []*process
	readyAt map[*process]time.Time // when that was asked to which a node said that it is ready
	next    int
}

// asksEvery is how often a door asks. A node that drains goes on for a second
// before it turns anybody away, so a door may believe it for somewhat less:
// where the machine keeps the door from asking, it lets nobody through.
const (
	asksEvery = 200 * time.Millisecond
	believed  = 600 * time.Millisecond
	promised  = time.Second
)

func (d *door) add(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes = append(d.nodes, p)
	d.asking.Go(func() { d.watch(p) })
}

func (d *door) remove(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes = slices.DeleteFunc(slices.Clone(d.nodes), func(q *process) bool { return q == p })
	delete(d.readyAt, p)
}

// watch asks a node until it is removed.
func (d *door) watch(p *process) {
	for d.ctx.Err() == nil {
		asked := time.Now()
		status, _, err := p.do(d.ctx, http.MethodGet, "/readyz", "", nil)
		d.mu.Lock()
		if !slices.Contains(d.nodes, p) {
			d.mu.Unlock()
			return
		}
		delete(d.readyAt, p)
		if err == nil && status == http.StatusOK {
			d.readyAt[p] = asked
		}
		d.mu.Unlock()
		select {
		case <-d.ctx.Done():
		case <-time.After(asksEvery):
		}
	}
}

// pick is a node that may be believed to be ready, nil if there is none; known
// says whether any node said so when it was asked last.
func (d *door) pick() (p *process, asked time.Time, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for range d.nodes {
		d.next = (d.next + 1) % len(d.nodes)
		p = d.nodes[d.next]
		if asked = d.readyAt[p]; time.Since(asked) < believed {
			return p, asked, true
		}
	}
	return nil, time.Time{}, len(d.readyAt) > 0
}

func (d *door) ask(ctx context.Context, c call) (answer, *process, error) {
	for {
		p, asked, known := d.pick()
		switch {
		case p == nil && known && ctx.Err() == nil:
			time.Sleep(5 * time.Millisecond)
			continue
		case p == nil:
			return answer{}, nil, errNobody
		}
		a, err := p.makeAdvised(ctx, c)
		// A door that comes later than the node had promised to be there for
		// knocked in vain by its own fault.
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && time.Since(asked) > promised {
			continue
		}
		return a, p, err
	}
}

// roll replaces every node in turn under load, with migrations beside them, and
// shows that no request is refused or broken (D-09, D-11).
func roll(t *testing.T, rounds int, pause time.Duration) {
	t.Helper()
	url := pgtest.URL(t)
	f := &fleet{t: t}
	several(t, f, url)
	db := open(t, url)
	watched, unwatch := context.WithCancel(t.Context())
	d := &door{ctx: watched, readyAt: map[*process]time.Time{}}
	defer d.asking.Wait()
	defer unwatch()
	for i := range f.nodes {
		d.add(f.node(i))
	}
	c := newChronicle(f)
	c.patient, c.pause, c.ask = true, pause, d.ask
	c.configure()
	eventually(t, "a ready node", patience, func() bool { p, _, _ := d.pick(); return p != nil })
	machine := stolen.Start(t)
	restarts, slowest := 0, time.Duration(0) // without what the machine took
	var ended strings.Builder                // what the nodes that ended had logged
	underLoad(t, c, "rolling restart", func() {
		rest(time.Second)
		for round := range rounds {
			if round == rounds-1 {
				// What a newer version's migrate does while these nodes run.
				for _, q := range []string{
					`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)`,
					`UPDATE meta SET value = 1 WHERE name = 'oldest_schema_that_may_run'`,
					`UPDATE meta SET value = 999999 WHERE name = 'schema_that_says_so'`,
				} {
					if _, err := db.ExecContext(t.Context(), q); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range f.nodes {
				f.command("migrate")
				old := f.node(i)
				ending := machine.Begin()
				old.signal(syscall.SIGTERM)
				select {
				case <-old.gone():
				case <-time.After(patience):
					t.Fatalf("node %d does not end\n%s", i, old.log)
				}
				slowest = max(slowest, ending.Own())
				if code := old.cmd.ProcessState.ExitCode(); code != 0 {
					t.Errorf("node %d ended with %d, want 0\n%s", i, code, old.log)
				}
				fmt.Fprintf(&ended, "%s, ended at %v:\n%s", old.url, time.Now().UTC(), old.log)
				d.remove(old)
				d.add(f.start(i))
				restarts++
				rest(2 * asksEvery)
			}
		}
	})
	within(t, fmt.Sprintf("the slowest end of %d nodes", restarts), slowest, 15*time.Second, "D-09")
	// Where the machine stood for as long as a node waits, that is no restart's
	// doing.
	if machine.Total() > requestTime/2 {
		t.Logf("%d requests were refused after %v and more; the machine took %v", c.late, requestTime, machine.Total().Round(time.Millisecond))
		c.refused -= c.late
	}
	if c.refused > 0 || c.counts[unknown] > 0 {
		t.Errorf("%d requests were refused and %d broken by the restarts, want none (D-09): %v\n%s%s", c.refused, c.counts[unknown], c.refusals, &ended, f.logs())
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

// A request that is begun a second after the command is refused, however busy
// the machine is: a node believes no copy of what it knows of keys for longer.
func TestARevokedKeyIsRefusedByEveryNodeWithinASecond(t *testing.T) {
	t.Parallel()
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
		slowest = max(slowest, stolen.Within(t, time.Second, "every node refuses the revoked key (K-03)", func() bool {
			return !slices.ContainsFunc(f.nodes, func(p *process) bool { return status(p) != http.StatusForbidden })
		}))
	}
	t.Logf("%d keys revoked on 3 nodes; the last request that was accepted began %v after the command", keys, slowest.Round(time.Millisecond))
}

// keyID is the id in a key that the program made: otp_live_ID_….
func keyID(key string) string {
	parts := strings.SplitN(key, "_", 4)
	return parts[2]
}
