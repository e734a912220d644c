package pgtest

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pair is a primary and a synchronous standby: the primary acknowledges a
// commit when both have synced it. Nodes reach each of the two past a Gate.
type Pair struct {
	Primary, Standby *Cluster
	gates            map[*Cluster]*Gate
}

// StartPair makes a pair.
func StartPair(t testing.TB) *Pair {
	t.Helper()
	p := &Pair{Primary: Start(t), gates: map[*Cluster]*Gate{}}
	p.gates[p.Primary] = NewGate(t, p.Primary)
	p.Follow(t)
	return p
}

// Follow makes a new standby of the primary, in place of the one before if
// there was one, and returns once commits wait for it.
func (p *Pair) Follow(t testing.TB) {
	t.Helper()
	c, err := newCluster("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("remove the standby: %v", err)
		}
		_ = os.RemoveAll(c.dir)
	})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), setupTime)
	defer cancel()
	copied := c.command(ctx, "pg_basebackup", "-h", p.Primary.dir, "-U", Admin, "-D", c.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	if out, err := copied.CombinedOutput(); err != nil {
		t.Fatalf("copy the primary: %v\n%s", err, out)
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	p.Standby = c
	p.gates[c] = NewGate(t, c)
	p.Primary.SetSynchronous(t, "*")
	p.await(t, "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'")
}

// SetSynchronous says which standbys commits wait for: "*" for any one, "" for
// none.
func (c *Cluster) SetSynchronous(t testing.TB, names string) {
	t.Helper()
	Exec(t, c.AdminURL(), "ALTER SYSTEM SET synchronous_standby_names = '"+names+"'")
	Exec(t, c.AdminURL(), "SELECT pg_reload_conf()")
}

// await waits until a query of the primary's is true.
func (p *Pair) await(t testing.TB, query string) {
	t.Helper()
	for deadline := time.Now().Add(startTime); ; time.Sleep(pollEvery) { //nolint:forbidigo // a test's patience
		if yes, err := ask(t, p.Primary, query); yes {
			return
		} else if time.Now().After(deadline) { //nolint:forbidigo // as above
			t.Fatalf("the pair does not come to %s: %v", query, err)
		}
	}
}

func ask(t testing.TB, c *Cluster, query string) (yes bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), statementTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.AdminURL())
	if err != nil {
		return false, err //nolint:wrapcheck // the caller tells what it waits for
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, query).Scan(&yes)
	return yes, err //nolint:wrapcheck // as above
}

// Part has commits wait for no standby, and the standby get none of them any more.
func (p *Pair) Part(t testing.TB) {
	t.Helper()
	p.Primary.SetSynchronous(t, "")
	Exec(t, p.Standby.AdminURL(), "ALTER SYSTEM SET primary_conninfo = ''")
	Exec(t, p.Standby.AdminURL(), "SELECT pg_reload_conf()")
	p.await(t, "SELECT count(*) = 0 FROM pg_stat_replication")
}

// FailOver makes the standby the primary, which the old one need not know, and
// returns the old one. The new primary waits for no standby before Follow.
func (p *Pair) FailOver(t testing.TB) (old *Cluster) {
	t.Helper()
	p.Standby.Promote(t)
	old, p.Primary, p.Standby = p.Primary, p.Standby, nil
	return old
}

// Gate is the gate before a server.
func (p *Pair) Gate(c *Cluster) *Gate { return p.gates[c] }

// URL names both servers, the older first, as Role. It stays right over a
// failover, not over Follow.
func (p *Pair) URL() string {
	hosts := []string{p.gates[p.Primary].Addr(), p.gates[p.Standby].Addr()}
	q := url.Values{"sslmode": {"disable"}, "target_session_attrs": {"read-write"}}
	return (&url.URL{Scheme: "postgres", User: url.User(Role), Host: strings.Join(hosts, ","), Path: "/" + Role, RawQuery: q.Encode()}).String()
}
