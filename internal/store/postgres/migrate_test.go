package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/postgres"
)

func TestADatabaseWhoseSettingUpWasCutShortCountsAsEmpty(t *testing.T) {
	t.Parallel()
	newest, err := postgres.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, reached := range []int64{1, 5, newest - 1} {
		url := pgtest.URL(t)
		if err := postgres.MigrateTo(t.Context(), url, reached); err != nil {
			t.Fatal(err)
		}
		s, err := postgres.Open(t.Context(), config(url))
		if err != nil {
			t.Errorf("a first start after one that was cut short at schema %d: %v", reached, err)
			continue
		}
		_ = s.Close()
	}

	served := pgtest.URL(t)
	if err := postgres.MigrateTo(t.Context(), served, newest-1); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, served, "INSERT INTO accounts (name, created_at) VALUES ('acme', 1)")
	wantRefused(t, "an older schema that a node has started on", config(served), postgres.ErrOlder)
}

func TestNodesSetUpAnEmptyDatabaseOnceThroughAPoolerThatSharesByTransaction(t *testing.T) {
	t.Parallel()
	const nodes, sessions = 4, 12
	server := pgtest.Database(t)
	p := &pooler{server: server}
	p.rotate(t, sessions)
	at := p.url(t) + "&default_query_exec_mode=cache_describe"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for range nodes {
		wg.Go(func() {
			s, err := postgres.Open(ctx, config(at))
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			_ = s.Close()
		})
	}
	wg.Wait()
	const locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	if n := count(t.Context(), t, raw(t, server), locks); n != 0 {
		t.Errorf("%d locks are left with the pooler's sessions, want none", n)
	}
}

// oldLock is how earlier versions keep others from migrating.
const oldLock = "SELECT pg_advisory_lock(hashtextextended('countersign migrate ' || current_schema(), 0))"

func TestAMigrationWaitsForThatOfAnEarlierVersionWhateverTheRolesTimeouts(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	pgtest.Exec(t, cluster.AdminURL(), "ALTER ROLE "+pgtest.Role+" SET lock_timeout = '1ms'")
	watch := raw(t, cluster.AdminURL())
	earlier := raw(t, cluster.URL())
	if _, err := earlier.Exec(t.Context(), oldLock); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := postgres.Open(t.Context(), config(cluster.URL()))
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	const waits = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'
		AND clock_timestamp() - query_start > interval '100 ms'`
	for deadline := time.Now().Add(patience); count(t.Context(), t, watch, waits) == 0; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-opened:
			t.Fatalf("Open did not wait for the migration of another: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the lock")
		}
	}
	_ = earlier.Close(t.Context())
	if err := <-opened; err != nil {
		t.Errorf("Open after the other migration: %v", err)
	}
}

func TestAMigrationThatATimeoutOfTheRoleEndsNamesIt(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	newest, err := postgres.NewestSchema()
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.MigrateTo(t.Context(), cluster.URL(), newest-1); err != nil {
		t.Fatal(err)
	}
	pgtest.Hold(t, cluster.URL(), "LOCK TABLE goose_db_version IN EXCLUSIVE MODE")
	for setting, want := range map[string]string{
		"lock_timeout":      "PostgreSQL error 55P03: another transaction held a lock for longer than lock_timeout",
		"statement_timeout": "PostgreSQL error 57014: the statement was cancelled, by the statement_timeout of the role",
	} {
		pgtest.Exec(t, cluster.AdminURL(), "ALTER ROLE "+pgtest.Role+" SET "+setting+" = '200ms'")
		s, err := postgres.Open(t.Context(), config(cluster.URL()))
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with a %s of 200 ms: %v, want %q", setting, err, want)
		}
		pgtest.Exec(t, cluster.AdminURL(), "ALTER ROLE "+pgtest.Role+" RESET ALL")
	}
}

func TestSettingsOfTheRoleThatAreInTheWayAreNamed(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	made(t, cluster.URL())
	for _, c := range []struct{ setting, mode, want string }{
		{"bytea_output = 'escape'", "exec", "bytea_output is escape"},
		{"bytea_output = 'escape'", "simple_protocol", "bytea_output is escape"},
		{"bytea_output = 'escape'", "cache_statement", ""},
		{"row_security = off", "cache_statement", "row_security is off"},
	} {
		pgtest.Exec(t, cluster.AdminURL(), "ALTER ROLE "+pgtest.Role+" SET "+c.setting)
		s, err := postgres.Open(t.Context(), config(cluster.URL()+"&default_query_exec_mode="+c.mode))
		if err == nil {
			_ = s.Close()
		}
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, postgres.ErrSetting) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("a role with %s, in mode %s: %v, want %q", c.setting, c.mode, err, c.want)
		}
		pgtest.Exec(t, cluster.AdminURL(), "ALTER ROLE "+pgtest.Role+" RESET ALL")
	}
}

func TestTextsStayWhatTheyAreWhateverEncodingTheDatabaseExpects(t *testing.T) {
	t.Parallel()
	const name = "Grün"
	url := pgtest.Ready(t)
	pgtest.Exec(t, url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET client_encoding = ''WIN1252''', current_database()); END $$")
	s := open(t, url, nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
		t.Fatal(err)
	}
	if n := count(t.Context(), t, raw(t, url+"&client_encoding=UTF8"), "SELECT char_length(name) FROM accounts"); n != 4 {
		t.Errorf("%q is stored as %d characters, want 4", name, n)
	}
}
