// Package pgtest gives tests a PostgreSQL of their own: a throw-away cluster
// made from the machine's binaries, one for each test process, in which every
// test has its own schema. COUNTERSIGN_TEST_POSTGRES_URL names a server to use
// instead. A machine without PostgreSQL fails the test; nothing is skipped.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ServerEnv names a server to use instead of a throw-away cluster. Its role
// must be allowed to create schemas in the database named, and databases.
const ServerEnv = "COUNTERSIGN_TEST_POSTGRES_URL"

// statementTime bounds one statement of a test's setup.
const statementTime = 2 * time.Minute

// shared is the process's cluster, made by the first test that asks. It ends
// with the process, or with End.
var shared = sync.OnceValues(func() (string, error) {
	if u := os.Getenv(ServerEnv); u != "" {
		return u, nil
	}
	c, err := start(Memory())
	if err != nil {
		return "", err
	}
	atEnd(func() error { return errors.Join(c.stop(), os.RemoveAll(c.dir)) })
	return c.URL(), nil
})

// ends are what End does, the last first.
var ends struct {
	mu   sync.Mutex // guards todo
	todo []func() error
}

func atEnd(do func() error) {
	ends.mu.Lock()
	defer ends.mu.Unlock()
	ends.todo = append(ends.todo, do)
}

// End removes what the process's tests share: call it after the last one, where
// a process's end is not clean enough.
func End() error {
	ends.mu.Lock()
	defer ends.mu.Unlock()
	var errs []error
	for _, do := range slices.Backward(ends.todo) {
		errs = append(errs, do())
	}
	ends.todo = nil
	return errors.Join(errs...)
}

// URL returns a connection string for a fresh, empty schema that is dropped
// with the test.
func URL(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return Schema(t, server)
}

// Schema makes a schema in the database of a connection string and returns a
// connection string for it. The schema is dropped with the test.
func Schema(t testing.TB, server string) string {
	t.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	Exec(t, server, "CREATE SCHEMA "+name)
	t.Cleanup(func() { Exec(t, server, "DROP SCHEMA IF EXISTS "+name+" CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("parse the server's URL: %v", err)
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs statements on a connection of their own.
func Exec(t testing.TB, server, statements string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), statementTime)
	defer cancel()
	if err := execute(ctx, server, statements); err != nil {
		t.Fatal(err)
	}
}

func execute(ctx context.Context, server, statements string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the test's server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("prepare the test's schema: %w", err)
	}
	return nil
}

// Hold begins a transaction with the statement, such as one that locks, and
// keeps it open until release is called or the test ends.
func Hold(t testing.TB, server, statement string) (release func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the test's server: %v", err)
	}
	release = sync.OnceFunc(func() { _ = conn.Close(ctx) })
	t.Cleanup(release)
	for _, s := range []string{"BEGIN", statement} {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return release
}
