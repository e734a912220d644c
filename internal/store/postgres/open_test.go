package postgres_test

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/highwater"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
)

func config(url string) postgres.Config {
	return postgres.Config{URL: url, Log: slog.New(slog.DiscardHandler)}
}

func wantRefused(t *testing.T, what string, c postgres.Config, want error) {
	t.Helper()
	s, err := postgres.Open(t.Context(), c)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("Open with %s = %v, want %v", what, err, want)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open with %s tells the password: %v", what, err)
	}
}

func TestOpenSaysWhatIsWrongWithTheDatabase(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	wantRefused(t, "a URL that is none", config("postgres://user:hunter2@host:port/x"), postgres.ErrURL)
	wantRefused(t, "nobody there", config("postgres://user:hunter2@127.0.0.1:1/x?connect_timeout=2"), postgres.ErrUnreachable)
	wantRefused(t, "a schema that is not there", config(strings.Replace(url, "search_path=", "search_path=not_", 1)), postgres.ErrRights)
	wantRefused(t, "commits that are not synced", config(url+"&synchronous_commit=off"), postgres.ErrNotDurable)

	for skew, want := range map[time.Duration]string{-3 * time.Second: "is 2.5s behind", 3 * time.Second: "is 2.5s ahead"} {
		err := postgres.Skew(storetest.Start, storetest.Start.Add(time.Second), storetest.Start.Add(skew+time.Second/2))
		if !errors.Is(err, postgres.ErrClockSkew) || !strings.Contains(err.Error(), want) {
			t.Errorf("a clock off by %v = %v, want ErrClockSkew, %q", skew, err, want)
		}
	}
	if err := postgres.Skew(storetest.Start, storetest.Start.Add(5*time.Second), storetest.Start.Add(4*time.Second)); err != nil {
		t.Errorf("a slow answer = %v, want no error", err)
	}
}

func TestAPasswordThatIsNotEscapedIsRefusedAndNoPartOfItTold(t *testing.T) {
	t.Parallel()
	const escape = "%40"
	for _, c := range []struct{ url, want string }{
		{"postgres://u:hunter2@hunter2@db.invalid/x", escape},
		{"postgresql://u:x@hunter2@db.invalid,other.invalid/x", escape},
		{"postgres://u:x@db.invalid,hunter2@db.invalid/x", escape},
		{"postgres://u:x@hunter2/y@db.invalid/x", escape},
		{"postgres://u:x@hunter2?y=z@db.invalid/x", escape},
		{"postgres://u:x?y@hunter2@db.invalid/x", escape},
		{"postgres://u:12/hunter2@db.invalid/x", escape},
		{"postgres://u:hunter2/x@db.invalid/x", escape},
		{"postgres://u:12/x?hunter2&y@db.invalid/x", "separator"},
		{"postgres://db.invalid/x?password=y&hunter2", "separator"},
		{"postgres://db.invalid/x?user=%zzhunter2", "percent-encoded"},
	} {
		_, err := postgres.Open(t.Context(), config(c.url))
		if !errors.Is(err, postgres.ErrURL) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %v; want ErrURL with %q and without the password", c.url, err, c.want)
		}
	}
	for _, url := range []string{
		"postgres://u:hunter%402@127.0.0.1:1/x", "postgres://u:a?b#c@127.0.0.1:1/x", "postgres://127.0.0.1:1/x?user=u@tenant&password=hunter@2",
		"postgres://127.0.0.1:1", "postgres:///x?host=/nonexistent@here",
	} {
		wantRefused(t, url, config(url), postgres.ErrUnreachable)
	}
}

func TestASchemaOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	made(t, url)
	db := raw(t, url)
	exec := func(query string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	const oldest = "SELECT value FROM meta WHERE name = 'oldest_schema_that_may_run'"
	const before = "SELECT version_id FROM goose_db_version ORDER BY version_id DESC LIMIT 1 OFFSET 1"
	if may, was := count(t.Context(), t, db, oldest), count(t.Context(), t, db, before); may > was {
		t.Errorf("schemas from %d may run on this one, and the one before is %d (D-11)", may, was)
	}
	const saidBy = "SELECT value FROM meta WHERE name = 'schema_that_says_so'"
	const newest = "SELECT max(version_id) FROM goose_db_version"
	if said, is := count(t.Context(), t, db, saidBy), count(t.Context(), t, db, newest); said != is {
		t.Errorf("schema %d says what may run on schema %d: whoever made the newer one has to", said, is)
	}
	exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	wantRefused(t, "a newer schema", config(url), postgres.ErrNewer)
	exec("UPDATE meta SET value = 9999 WHERE name = 'schema_that_says_so'")
	exec("UPDATE meta SET value = 9998 WHERE name = 'oldest_schema_that_may_run'")
	wantRefused(t, "a newer schema that only newer ones may use", config(url), postgres.ErrNewer)
	exec("UPDATE meta SET value = 1 WHERE name = 'oldest_schema_that_may_run'")
	open(t, url, nil) // the newer schema lets this version run (D-11)

	exec("DELETE FROM goose_db_version WHERE version_id > 1")
	wantRefused(t, "an older schema", config(url), postgres.ErrOlder)

	other := pgtest.URL(t)
	pgtest.Exec(t, other, "CREATE TABLE theirs (id int)")
	if s, err := postgres.Open(t.Context(), config(other)); err == nil {
		_ = s.Close()
		t.Error("Open took over a schema with another program's tables")
	}
}

func TestNodesThatOpenAnEmptyDatabaseAtOnceSetItUpOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), config(url))
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			_ = s.Close()
		})
	}
	wg.Wait()
}

// storedBy waits until the stored high-water mark has reached want.
func storedBy(t *testing.T, url string, want int64) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for count(t.Context(), t, raw(t, url), "SELECT coalesce(max(value), 0) FROM meta WHERE name = $1", highwater.Meta) < int(want) {
		if time.Now().After(deadline) {
			t.Fatal("the high-water mark is not stored")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// briefly opens the database for as long as do takes.
func briefly(t *testing.T, url string, wall func() time.Time, do func(*postgres.Store)) {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Wall: wall, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhoStartsBesideANodeThatIsAheadGoesOnFromItsTime(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	briefly(t, url, nil, func(*postgres.Store) {})
	ahead := time.Now().Add(30 * time.Second).UnixMicro()
	if _, err := raw(t, url).Exec(t.Context(), `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, highwater.Meta, ahead); err != nil {
		t.Fatal(err)
	}
	open(t, url, nil) // its time is ahead of the database's clock from now on
	if _, err := raw(t, url).Exec(t.Context(), `UPDATE meta SET value = $2 WHERE name = $1`, highwater.Meta, time.Now().UnixMicro()); err != nil {
		t.Fatal(err)
	}
	storedBy(t, url, ahead)
	if now := open(t, url, nil).Now().UnixMicro(); now < ahead {
		t.Errorf("who starts then is %v behind: the other would end its OTPs at once (V-10)", time.Duration(ahead-now)*time.Microsecond)
	}
}

func TestACommandThatMadeAnOTPLeavesTheMark(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	wall := &storetest.Wall{}
	s := open(t, url, wall.Now)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	wall.Add(10 * time.Second)
	briefly(t, url, wall.Now, func(command *postgres.Store) {
		if _, err := command.CreateOTP(t.Context(), newOTP(t, "o1", time.Minute)); err != nil {
			t.Fatal(err)
		}
	})
	storedBy(t, url, wall.Now().UnixMicro())
	wall.Add(20 * time.Second)
	storedBy(t, url, wall.Now().UnixMicro()) // by the node that did not make it
}

func TestADatabaseWhoseClockIsBehindRevivesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	wall := &storetest.Wall{}
	s := open(t, url, wall.Now)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	for id, life := range map[string]time.Duration{"over": time.Minute, "open": 3 * time.Minute} {
		if _, err := s.CreateOTP(t.Context(), newOTP(t, id, life)); err != nil {
			t.Fatal(err)
		}
	}
	wall.Add(2 * time.Minute)
	want := wall.Now().UnixMicro()
	storedBy(t, url, want)
	// Another node meets the database as a failover left it: an hour behind.
	behind := &storetest.Wall{}
	behind.Add(-time.Hour)
	other := open(t, url, behind.Now)
	if c, err := other.CountAttempt(t.Context(), guess("over", rightCode)); err != nil || c.Verdict != otp.Late {
		t.Errorf("the right code for what had expired = %v, %v; want Late (V-10)", c.Verdict, err)
	}
	if now := other.Now(); now.UnixMicro() < want {
		t.Errorf("the time there is %v, want no earlier than %v", now, time.UnixMicro(want))
	}
	if c, err := other.CountAttempt(t.Context(), guess("open", wrongCode)); err != nil || c.Verdict != otp.Wrong {
		t.Errorf("a check of what is open = %v, %v; want Wrong", c.Verdict, err)
	}
}
