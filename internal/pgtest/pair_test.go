package pgtest_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/pgtest"
)

func number(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAPairLosesNothingThatItAcknowledged(t *testing.T) {
	t.Parallel()
	p := pgtest.StartPair(t)
	url := p.URL()
	pgtest.Exec(t, url, "CREATE TABLE kept (n int)")
	pgtest.Exec(t, url, "INSERT INTO kept VALUES (1)")

	p.Standby.Freeze(t)
	written := make(chan error, 1)
	go func() {
		conn, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_, err = conn.Exec(t.Context(), "INSERT INTO kept VALUES (2)")
			_ = conn.Close(t.Context())
		}
		written <- err
	}()
	select {
	case err := <-written:
		t.Fatalf("a commit was acknowledged without the standby: %v", err)
	case <-time.After(500 * time.Millisecond): // it must not come
	}
	p.Primary.Kill(t)
	if err := <-written; err == nil {
		t.Fatal("a commit was acknowledged by a primary that was killed while it waited for its standby")
	}
	p.Standby.Thaw(t)
	old := p.FailOver(t)
	pgtest.Exec(t, url, "INSERT INTO kept VALUES (3)")
	if n := number(t, url, "SELECT count(*) FROM kept WHERE n IN (1, 3)"); n != 2 {
		t.Errorf("after the failover %d of 2 acknowledged rows are there", n)
	}

	// The standby had stopped before the second row: a failover forgets it,
	// the old primary does not.
	p.Gate(old).Shut()
	old.StartAgain(t)
	if n := number(t, old.URL(), "SELECT count(*) FROM kept WHERE n < 3"); n != 2 {
		t.Errorf("the old primary has %d rows, want both that it wrote", n)
	}

	p.Follow(t)
	// What a standby has flushed it may show a little later.
	pgtest.Exec(t, p.Primary.URL(), "SET synchronous_commit = remote_apply; INSERT INTO kept VALUES (4)")
	if n := number(t, p.Standby.URL(), "SELECT count(*) FROM kept WHERE n = 4"); n != 1 {
		t.Errorf("the new standby has %d of 1 rows", n)
	}
}

func TestAGateCutsAndSilences(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	g := pgtest.NewGate(t, c)
	url := "postgres://countersign@" + g.Addr() + "/countersign?sslmode=disable"
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	g.Silence()
	answered := make(chan error, 1)
	go func() { answered <- conn.Ping(t.Context()) }()
	select {
	case err := <-answered:
		t.Fatalf("an answer came through: %v", err)
	case <-time.After(200 * time.Millisecond): // it must not come
	}
	g.Open()
	if err := <-answered; err != nil {
		t.Errorf("after the silence: %v", err)
	}
	g.Shut()
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a connection outlived the gate's shutting")
	}
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Error("a shut gate lets a new connection in")
	}
	g.Open()
	conn, err = pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("an open gate lets nobody in: %v", err)
	}
	_ = conn.Close(t.Context())
}
