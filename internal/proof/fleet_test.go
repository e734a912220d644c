package proof_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	mathrand "math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to look into the nodes' database
)

// fleetKey is the first key of every fleet.
const fleetKey = "proof-key-of-the-first-account-0123456789"

// fleet is some nodes on one PostgreSQL database, each a process of the real
// program.
type fleet struct {
	t       testing.TB
	url     string // of the database
	environ []string

	mu    sync.RWMutex // guards nodes
	nodes []*process   // nil for one that is down
}

// newFleet starts n nodes with further settings, the first of which sets the
// database up.
func newFleet(t testing.TB, database string, n int, environ ...string) *fleet {
	t.Helper()
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	root := base64.StdEncoding.EncodeToString(random)
	f := &fleet{t: t, url: database, nodes: make([]*process, n), environ: append([]string{
		"COUNTERSIGN_DATABASE_URL=" + roomy(t, database), "COUNTERSIGN_SECRET_KEY=" + root, "COUNTERSIGN_BOOTSTRAP_API_KEY=" + fleetKey,
	}, environ...)}
	for i := range n {
		f.start(i)
	}
	return f
}

// roomy is the URL as nodes get it. On a machine that does something else most
// of the time, connections take long to be made: some are there from the start,
// and the making of others has time. Where several servers are named, a node
// looks for the other one after the time that it has by default.
func roomy(t testing.TB, database string) string {
	t.Helper()
	if namesSeveral(database) {
		return database
	}
	return withParameters(t, database, "connect_timeout", "60", "pool_min_conns", "8", "pool_max_conns", "24")
}

// namesSeveral reports whether a connection string names several servers.
func namesSeveral(database string) bool {
	servers, _, _ := strings.Cut(database, "?")
	return strings.Contains(servers, ",")
}

// withParameters is a connection string with more parameters: names and values
// take turns.
func withParameters(t testing.TB, database string, more ...string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// start starts node i and waits until it is ready.
func (f *fleet) start(i int) *process {
	f.t.Helper()
	p := serve(f.t, f.t.TempDir(), f.environ...)
	p.key = fleetKey
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[i] = p
	return p
}

// take takes node i out of those that clients ask, and returns it.
func (f *fleet) take(i int) *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.nodes[i]
	f.nodes[i] = nil
	return p
}

// kill kills node i, which clients go on asking until it is dead.
func (f *fleet) kill(i int) {
	f.t.Helper()
	f.node(i).kill()
	f.take(i)
}

func (f *fleet) node(i int) *process {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.nodes[i]
}

// any is a node that is up, nil if none is.
func (f *fleet) any() *process {
	f.mu.RLock()
	defer f.mu.RUnlock()
	up := slices.DeleteFunc(slices.Clone(f.nodes), func(p *process) bool { return p == nil })
	if len(up) == 0 {
		return nil
	}
	return up[mathrand.IntN(len(up))]
}

// command runs the program beside the nodes and returns what it printed.
func (f *fleet) command(args ...string) string {
	f.t.Helper()
	out, log, err := f.try(f.t.Context(), args...)
	if err != nil {
		f.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, log)
	}
	return out
}

// try is command that may fail.
func (f *fleet) try(ctx context.Context, args ...string) (out, log string, err error) {
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "COUNTERSIGN_LOG_FORMAT=json"}, f.environ...)
	if !namesSeveral(f.url) { // a command needs one connection
		cmd.Env = append(cmd.Env, "COUNTERSIGN_DATABASE_URL="+withParameters(f.t, f.url, "connect_timeout", "60"))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return strings.TrimSpace(stdout.String()), stderr.String(), err
}

// logs are those of all nodes that are up.
func (f *fleet) logs() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var all strings.Builder
	for i, p := range f.nodes {
		if p != nil {
			fmt.Fprintf(&all, "node %d:\n%s", i, p.log)
		}
	}
	return all.String()
}

// freeze stops a node where it stands; thaw lets it go on.
func (p *process) freeze() { p.signal(syscall.SIGSTOP) }
func (p *process) thaw()   { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// open connects to a database past the nodes.
func open(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// change does a statement that returns nothing.
func change(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// count is the number that a query returns.
func count(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// sound checks the invariants of every row.
func sound(t testing.TB, db *sql.DB) {
	t.Helper()
	for name, query := range map[string]string{
		"verified late":                `SELECT count(*) FROM otps WHERE state = 2 AND ended_at >= expires_at`,
		"more attempts than allowed":   `SELECT count(*) FROM otps WHERE attempts > allowed`,
		"ended but with a sealed code": `SELECT count(*) FROM deliveries d JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp WHERE o.state > 1 AND d.sealed IS NOT NULL`,
		"deliveries of no OTP":         `SELECT count(*) FROM deliveries d LEFT JOIN otps o ON o.account_id = d.account_id AND o.seq = d.otp WHERE o.seq IS NULL`,
		"OTPs without a delivery":      `SELECT count(*) FROM otps o LEFT JOIN deliveries d ON d.account_id = o.account_id AND d.otp = o.seq WHERE d.otp IS NULL`,
		"several verified events":      `SELECT count(*) FROM (SELECT 1 FROM events WHERE kind = 5 GROUP BY account_id, otp HAVING count(*) > 1) e`,
		"more wrong codes than counted": `SELECT count(*) FROM otps o WHERE o.attempts <>
			(SELECT count(*) FROM events e WHERE e.account_id = o.account_id AND e.otp = o.seq AND e.kind IN (5, 6, 7))`,
	} {
		if n := count(t, db, query); n > 0 {
			t.Errorf("%s: %d rows; want none", name, n)
		}
	}
}

// eventually waits until yes says so.
func eventually(t testing.TB, what string, within time.Duration, yes func() bool) {
	t.Helper()
	begun := time.Now()
	for !yes() {
		if time.Since(begun) > within {
			t.Fatalf("%s did not come within %v", what, within)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
