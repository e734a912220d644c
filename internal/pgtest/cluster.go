package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Bounds of a cluster's life.
const (
	setupTime = 4 * time.Minute // initdb on a busy machine
	startTime = 2 * time.Minute // from the start of the server to its first answer
	stopTime  = 2 * time.Minute
	tryTime   = 20 * time.Second // one try to get an answer
	pollEvery = 50 * time.Millisecond
)

// Role is whom tests connect as: it owns the database and is no superuser, so
// that what the database refuses to ordinary roles is refused to tests too.
const Role = "countersign"

// Admin is the cluster's superuser.
const Admin = "postgres"

// Cluster is a PostgreSQL server of a test's own, on a Unix socket, with fsync
// on. It ends with the test process, however that ends.
type Cluster struct {
	dir  string // holds data, socket and log
	bin  string
	cred *syscall.Credential // of the server where the test runs as root; else nil
	stop func() error        // by pg_ctl, once in a life of the server
	// leave ends the life by other means, which end must be.
	leave func(end func() error) error
}

// Start makes a cluster for a test that stops and starts it. Others share one:
// URL.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c, err := start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.stop(), os.RemoveAll(c.dir)); err != nil {
			t.Errorf("remove the cluster: %v", err)
		}
	})
	return c
}

// Run makes a cluster for a program that is no test, below a directory or, if
// that is "", where temporary files are. Stop it in the end by what is returned.
func Run(below string) (c *Cluster, stop func() error, err error) {
	if c, err = start(below); err != nil {
		return nil, nil, err
	}
	return c, func() error { return errors.Join(c.stop(), os.RemoveAll(c.dir)) }, nil
}

// Program is the path of one of PostgreSQL's programs, such as pgbench.
func (c *Cluster) Program(name string) string { return filepath.Join(c.bin, name) }

// Dir is where the server's socket is.
func (c *Cluster) Dir() string { return c.dir }

// URL is how to connect as Role.
func (c *Cluster) URL() string { return c.url(Role, Role) }

// AdminURL is how to connect as the superuser to the same database.
func (c *Cluster) AdminURL() string { return c.url(Admin, Role) }

func (c *Cluster) url(role, database string) string {
	q := url.Values{"host": {c.dir}, "user": {role}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: q.Encode()}).String()
}

// Stop shuts the server down as its operator would: connections are cut, what
// was committed stays.
func (c *Cluster) Stop(t testing.TB) {
	t.Helper()
	if err := c.stop(); err != nil {
		t.Fatalf("stop the cluster: %v", err)
	}
}

// StartAgain starts the server after Stop.
func (c *Cluster) StartAgain(t testing.TB) {
	t.Helper()
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
}

// newCluster is a cluster without files, in a directory of its own below
// another, "" for that of temporary files.
func newCluster(below string) (c *Cluster, err error) {
	c = &Cluster{stop: func() error { return nil }}
	if c.bin, err = binaries(); err != nil {
		return nil, err
	}
	if c.cred, err = unprivileged(); err != nil {
		return nil, err
	}
	// Not under t.TempDir: socket paths are short and the server's user must
	// reach it.
	if c.dir, err = os.MkdirTemp(below, "pgtest"); err != nil {
		return nil, fmt.Errorf("make the cluster's directory: %w", err)
	}
	if c.cred != nil {
		if err := os.Chown(c.dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			return nil, fmt.Errorf("give the cluster's directory away: %w", err)
		}
	}
	return c, nil
}

// start makes a cluster and starts it.
func start(below string) (c *Cluster, err error) {
	if c, err = newCluster(below); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	initdb := c.command(ctx, "initdb", "-D", c.data(), "-U", Admin, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := c.run(); err != nil {
		return nil, err
	}
	admin := c.url(Admin, "postgres")
	for _, statement := range []string{"CREATE ROLE " + Role + " LOGIN CREATEDB", "CREATE DATABASE " + Role + " OWNER " + Role} {
		if err := execute(ctx, admin, statement); err != nil {
			return nil, errors.Join(err, c.stop())
		}
	}
	return c, nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *Cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...) //nolint:gosec // names and arguments are this file's
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred}
	return cmd
}

// guarded ends the server when its standard input does, which is when this
// process ends, however it ends. The files then go too, unless kept.
const guarded = `"$@" & server=$!
trap '' INT TERM
read -r _
kill -INT $server 2>/dev/null
wait $server
[ -e kept ] || rm -rf "$PWD"`

// kept marks files that are wanted after the server's end.
func (c *Cluster) kept() string { return filepath.Join(c.dir, "kept") }

// run starts the server and waits until it answers.
func (c *Cluster) run() error {
	if err := os.RemoveAll(c.kept()); err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the cluster's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	// No context: the server outlives the call and ends by its standard input.
	cmd := exec.Command("/bin/sh", "-c", guarded, "sh", filepath.Join(c.bin, "postgres"), "-D", c.data(), "-k", c.dir, //nolint:noctx,gosec // as above; fixed arguments
		"-c", "listen_addresses=", "-c", "max_connections=200", "-c", "fsync=on", "-c", "shared_buffers=64MB",
		"-c", "max_locks_per_transaction=256", "-c", "log_min_messages=warning")
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the cluster: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var once sync.Once
	c.leave = func(end func() error) (err error) {
		once.Do(func() { err = c.end(end, stdin, ended) })
		return err
	}
	c.stop = func() error { return c.leave(c.shutDown) }
	return c.await(ended)
}

// shutDown stops the server as its operator would.
func (c *Cluster) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if out, err := c.command(ctx, "pg_ctl", "-D", c.data(), "-m", "fast", "-w", "stop").CombinedOutput(); err != nil {
		return fmt.Errorf("stop the cluster: %w\n%s", err, out)
	}
	return nil
}

// end stops the server by stop but keeps its files.
func (c *Cluster) end(stop func() error, stdin io.Closer, ended <-chan error) error {
	if err := stop(); err != nil {
		return err
	}
	if err := os.WriteFile(c.kept(), nil, 0o600); err != nil {
		return fmt.Errorf("keep the cluster's files: %w", err)
	}
	_ = stdin.Close()
	<-ended //nolint:errcheck // its end is what counts
	return nil
}

func (c *Cluster) await(ended <-chan error) error {
	deadline := time.Now().Add(startTime) //nolint:forbidigo // a test's patience
	for {
		ctx, cancel := context.WithTimeout(context.Background(), tryTime)
		conn, err := pgx.Connect(ctx, c.url(Admin, "postgres"))
		if err == nil {
			_ = conn.Close(ctx)
			cancel()
			return nil
		}
		cancel()
		select {
		case end := <-ended:
			return fmt.Errorf("the cluster ended: %w\n%s", errors.Join(end, err), c.tail())
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			return fmt.Errorf("the cluster does not answer: %w\n%s", err, c.tail())
		}
	}
}

func (c *Cluster) tail() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return ""
	}
	return string(text[max(0, len(text)-4096):])
}

// binaries finds the directory of initdb and postgres.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	best, version := "", 0
	for _, f := range found {
		dir := filepath.Dir(f)
		v, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && v > version {
			best, version = dir, v
		}
	}
	if best != "" {
		return best, nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("no PostgreSQL on this machine: install the package postgresql (Debian: apt-get install postgresql), or set " + ServerEnv)
}

// unprivileged is whom the server runs as: it refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // the test's own user will do
	}
	var tried []string
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			tried = append(tried, name)
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user " + strings.Join(tried, " or "))
}
