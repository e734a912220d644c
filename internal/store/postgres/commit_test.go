package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// standbyless is a store whose commits wait for a synchronous standby that is
// not there, with an OTP from before and a way to end the waits.
func standbyless(t *testing.T) (s *postgres.Store, id string, cluster *pgtest.Cluster) {
	t.Helper()
	cluster = pgtest.Start(t)
	s = made(t, cluster.URL())
	id = sent(t, s)
	setStandby(t, cluster, "nobody")
	return s, id, cluster
}

func setStandby(t *testing.T, c *pgtest.Cluster, name string) {
	t.Helper()
	pgtest.Exec(t, c.AdminURL(), "ALTER SYSTEM SET synchronous_standby_names = '"+name+"'")
	pgtest.Exec(t, c.AdminURL(), "SELECT pg_reload_conf()")
	watch := raw(t, c.AdminURL())
	for count(t.Context(), t, watch, "SELECT (current_setting('synchronous_standby_names') = $1)::int", name) == 0 {
		time.Sleep(time.Millisecond)
	}
}

const waitingForStandby = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'countersign'"

// endedAtItsCommit makes a call and ends its request when one more commit than
// before waits for the standby.
func endedAtItsCommit(t *testing.T, watch *pgx.Conn, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answer := make(chan error, 1)
	before := count(t.Context(), t, watch, waitingForStandby)
	go func() { answer <- call(ctx) }()
	for count(t.Context(), t, watch, waitingForStandby) == before {
		select {
		case err := <-answer: // it will not come to a commit
			return err
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	return <-answer
}

func TestACommitOutlivesItsRequest(t *testing.T) {
	t.Parallel()
	s, id, cluster := standbyless(t)
	watch := raw(t, cluster.AdminURL())
	for _, c := range []struct {
		name string
		call func(context.Context) error
	}{
		{"check", func(ctx context.Context) error { _, err := s.CountAttempt(ctx, guess(id, wrongCode)); return err }},
		{"account", func(ctx context.Context) error {
			return s.CreateAccount(ctx, account.Account{Name: "late"})
		}},
	} {
		err := endedAtItsCommit(t, watch, c.call)
		for errors.Is(err, verify.ErrUnavailable) { // what waited was the store's own upkeep: the call was not begun
			err = endedAtItsCommit(t, watch, c.call)
		}
		if !errors.Is(err, verify.ErrOutcomeUnknown) {
			t.Errorf("%s whose request ended at its commit = %v, want ErrOutcomeUnknown (V-07)", c.name, err)
		}
	}
	setStandby(t, cluster, "") // the commits that wait go through
	checked, err := s.CountAttempt(t.Context(), guess(id, rightCode))
	if err != nil || checked.Verdict != otp.Right || checked.Record.Attempts != 2 {
		t.Errorf("after the waits: %v with %d attempts, %v; want Right with 2", checked.Verdict, checked.Record.Attempts, err)
	}
	// What waited may have been the store's own upkeep, and the account still on
	// its way when its request ended.
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := s.Account(t.Context(), "late")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the account whose request ended: %v", err)
		}
	}
}

func TestACommitWhoseStandbyWaitWasCancelledIsNoSuccess(t *testing.T) {
	t.Parallel()
	s, id, cluster := standbyless(t)
	watch := raw(t, cluster.AdminURL())
	answer := make(chan error, 1)
	go func() {
		_, err := s.CountAttempt(context.WithoutCancel(t.Context()), guess(id, rightCode))
		answer <- err
	}()
	deadline := time.Now().Add(patience)
	for {
		if _, err := watch.Exec(t.Context(), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-answer:
			if !errors.Is(err, verify.ErrOutcomeUnknown) {
				t.Errorf("a check that a failover would forget = %v, want ErrOutcomeUnknown (V-07)", err)
			}
			setStandby(t, cluster, "")
			return
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the check did not end")
		}
	}
}

// A server that is told to end a session amid a commit commits first and says
// 57P01 then, as when it shuts down: that is no word of what was done.
func TestNothingThatWasCommittedIsToldAsUndone(t *testing.T) { //nolint:tparallel // see below
	t.Parallel()
	cluster := pgtest.Start(t)
	s := made(t, cluster.URL())
	for _, q := range []string{
		"ALTER SYSTEM SET commit_delay = 100000", // µs: every commit waits so long before its sync
		"ALTER SYSTEM SET commit_siblings = 0",
		"SELECT pg_reload_conf()",
	} {
		pgtest.Exec(t, cluster.AdminURL(), q)
	}
	for _, c := range []struct { //nolint:paralleltest // each ends whatever sessions the server has
		name string
		amid string // what the session is doing
		call func(id string) error
		done func(r verify.Record, err error) bool
	}{
		{"delete", "query = 'commit'", func(id string) error {
			_, err := s.DeleteOTP(t.Context(), ref(id), verify.Idempotency{})
			return err
		}, func(_ verify.Record, err error) bool { return errors.Is(err, verify.ErrNotFound) }},
		{"check", "query NOT IN ('begin', 'commit')", func(id string) error {
			_, err := s.CountAttempt(t.Context(), guess(id, wrongCode))
			return err
		}, func(r verify.Record, err error) bool { return err == nil && r.Attempts > 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			watch := raw(t, cluster.AdminURL())
			ended := 0
			for begun := time.Now(); ended < 5; {
				if time.Since(begun) > patience {
					t.Fatalf("%d calls of %s met the end of their session, want 5", ended, c.name)
				}
				id := sent(t, s)
				answer := make(chan error, 1)
				go func() { answer <- c.call(id) }()
				ends, err := 0, error(nil)
				for waits := true; waits; {
					select {
					case err = <-answer:
						waits = false
					default:
						ends += count(t.Context(), t, watch, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'countersign' AND state = 'active' AND "+c.amid)
					}
				}
				if ends > 0 {
					ended++
				}
				r, readErr := s.OTP(t.Context(), ref(id))
				for readErr != nil && !errors.Is(readErr, verify.ErrNotFound) { // sessions that ended are still known
					r, readErr = s.OTP(t.Context(), ref(id))
				}
				switch done := c.done(r, readErr); {
				case err == nil && !done:
					t.Errorf("%s = nil and was not done", c.name)
				case errors.Is(err, verify.ErrUnavailable) && done:
					t.Errorf("%s = %v and was done (V-07)", c.name, err)
				case err != nil && !errors.Is(err, verify.ErrUnavailable) && !errors.Is(err, verify.ErrOutcomeUnknown):
					t.Errorf("%s = %v", c.name, err)
				}
				if r.Attempts > 1 {
					t.Errorf("one %s counted %d times", c.name, r.Attempts)
				}
			}
		})
	}
}
