package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/store/postgres"
)

// template is the process's database that has this version's schema and
// nothing in it: copying it is several times faster than migrating anew.
var template = sync.OnceValues(func() (string, error) {
	server, err := shared()
	if err != nil {
		return "", err
	}
	name := "template_" + strings.ToLower(rand.Text())
	ctx, cancel := context.WithTimeout(context.Background(), setupTime)
	defer cancel()
	if err := execute(ctx, server, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	atEnd(func() error { return execute(context.Background(), server, "DROP DATABASE IF EXISTS "+name) })
	at, err := onDatabase(server, name)
	if err != nil {
		return "", err
	}
	s, err := postgres.Open(ctx, postgres.Config{URL: at, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", fmt.Errorf("set up the template of test databases: %w", err)
	}
	return name, s.Close()
})

// Ready returns a connection string for a database of the test's own that has
// this version's schema. It is dropped with the test. The server's role must be
// allowed to create databases.
func Ready(t testing.TB) string {
	t.Helper()
	from, err := template()
	if err != nil {
		t.Fatal(err)
	}
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return made(t, server, " TEMPLATE "+from)
}

// onDatabase is the connection string of another database of the server.
func onDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("parse the server's URL: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// Database returns a connection string for an empty database of the test's own.
// It is dropped with the test.
func Database(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return made(t, server, "")
}

// made makes a database and returns its connection string.
func made(t testing.TB, server, options string) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	Exec(t, server, "CREATE DATABASE "+name+options)
	t.Cleanup(func() { drop(t, server, name) })
	at, err := onDatabase(server, name)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Tool runs one of PostgreSQL's programs, such as pg_dump, to its end.
func Tool(t testing.TB, name string, args ...string) {
	t.Helper()
	dir, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), setupTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, name), args...).CombinedOutput() //nolint:gosec // the test's own
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// drop removes a database. FORCE ends connections that a frozen process holds,
// but may not end an autovacuum, which a plain DROP does.
func drop(t testing.TB, server, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), statementTime)
	defer cancel()
	if err := execute(ctx, server, "DROP DATABASE IF EXISTS "+name); err == nil {
		return
	}
	Exec(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}
