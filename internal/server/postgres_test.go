package server_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/verify"
)

// withParameter adds a parameter to a database URL.
func withParameter(url, parameter string) string { return url + "&" + parameter }

// environ names a PostgreSQL database and the root key A.
func environ(url string, more ...string) []string {
	return append([]string{"COUNTERSIGN_DATABASE_URL=" + url, "COUNTERSIGN_SECRET_KEY=" + rootA}, more...)
}

func TestAPostgreSQLDatabaseThatCannotServeIsRefusedAndNamed(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	if err := open(t, t.TempDir(), environ(url)...); err != nil {
		t.Fatal(err)
	}
	const newest = "(SELECT max(version_id) FROM goose_db_version)"
	for name, c := range map[string]struct {
		url, before, after, want string
		more                     []string
	}{
		"a port that is none":       {url: "postgres://u:hunter2@h:port/db", want: "cannot be read"},
		"nobody there":              {url: "postgres:///db?host=/nonexistent&user=u&password=hunter2", want: "cannot be reached"},
		"nobody lets us in":         {url: withParameter(url, "user=nobody&password=hunter2"), want: "cannot be reached"},
		"commits that are not kept": {url: withParameter(url, "synchronous_commit=off"), want: "synchronous_commit"},
		"no schema to use":          {url: withParameter(url, "search_path=absent"), want: "lacks rights"},
		"another root key":          {url: url, more: []string{"COUNTERSIGN_SECRET_KEY=" + rootB}, want: "does not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := open(t, t.TempDir(), environ(c.url, c.more...)...)
			refused(t, err, c.want)
			refused(t, err, "the database of environment variable COUNTERSIGN_DATABASE_URL")
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the refusal shows the password: %v", err)
			}
		})
	}
	old := pgtest.Ready(t)
	pgtest.Exec(t, old, "INSERT INTO accounts (name, created_at) VALUES ('acme', 1)") // else it counts as empty
	pgtest.Exec(t, old, "DELETE FROM goose_db_version WHERE version_id = "+newest)
	refused(t, open(t, t.TempDir(), environ(old)...), "older schema")
	ahead := pgtest.Ready(t)
	pgtest.Exec(t, ahead, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	refused(t, open(t, t.TempDir(), environ(ahead, "COUNTERSIGN_MIGRATE=true")...), "newer schema")
	foreign := pgtest.URL(t)
	pgtest.Exec(t, foreign, "CREATE TABLE letters (text TEXT)")
	refused(t, open(t, t.TempDir(), environ(foreign, "COUNTERSIGN_MIGRATE=true")...), "another program")
}

func TestEveryRefusalOfTheStoreSaysWhatWasExpected(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		postgres.ErrURL, postgres.ErrUnreachable, postgres.ErrTooOld, postgres.ErrNotDurable, postgres.ErrRights,
		postgres.ErrClockSkew, postgres.ErrNewer, postgres.ErrOlder, postgres.ErrPooler, postgres.ErrSetting,
	} {
		got := server.RefusePostgres(fmt.Errorf("more: %w", err))
		refused(t, got, err.Error())
		if strings.Contains(got.Error(), "a Countersign database or an empty one") {
			t.Errorf("%v: nothing of its own is expected", err)
		}
	}
	gone := server.RefusePostgres(fmt.Errorf("read: %w", verify.ErrUnavailable))
	if _, is := errors.AsType[*server.RefusalError](gone); is {
		t.Errorf("%v is a refusal; want a failure that may pass", gone)
	}
}

func TestNodesOfPostgreSQLThatStartAtOnceOnAnEmptyDatabaseMakeOneAccountAndUseNoFiles(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t) // without even a schema
	dir := filepath.Join(t.TempDir(), "data")
	var nodes [3]*running
	for i := range nodes {
		nodes[i] = launch(t, dir, notice, environ(url)...)
	}
	for _, n := range nodes {
		n.await()
	}
	key := ""
	for _, n := range nodes {
		if n.key == "" {
			continue
		}
		if key != "" {
			t.Error("two nodes made a key")
		}
		key = n.key
	}
	for i, n := range nodes {
		n.key = key
		n.must(200, "GET", "/2fa/v4/otp", "")
		n.must(200, "GET", "/readyz", "")
		if strings.Contains(n.log.String(), "another server uses this database") {
			t.Errorf("node %d warns of the others: %s", i, n.log)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data directory: %v; want none", err)
	}
}

// busyTables are what every facade needs before it can answer.
const busyTables = "LOCK TABLE versions, otps, applications, sandbox_messages IN ACCESS EXCLUSIVE MODE"

func TestADatabaseWithoutAFreeConnectionIs503WithRetryAfterAtEveryFacade(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	r := start(t, t.TempDir(), environ(withParameter(url, "pool_max_conns=2&lock_timeout=3000"), "COUNTERSIGN_BOOTSTRAP_API_LOGIN=ops@example.com")...)
	r.must(200, "GET", "/2fa/v4/otp", "")
	release := pgtest.Hold(t, url, busyTables)
	calls := []struct{ method, path, kind, body string }{
		{"GET", "/2fa/v4/otp", "", ""},
		{"POST", "/2fa/v4/otp/0190a8a8-7b1a-7000-8000-000000000001/validate", "application/json", `{"otpCode":"123456"}`},
		{"POST", "/2fa/v1/otp?apiKey=" + r.key + "&number=%2B4915112345678", "", ""},
		{"GET", "/2fa/v1/application?apiKey=" + r.key, "", ""},
		{"POST", "/v1/public/service/otp/generate", "application/json", `{"phone_number":"+33612345678"}`},
		{"GET", "/sandbox/messages", "", ""},
	}
	var wait sync.WaitGroup
	for _, c := range calls {
		for range 3 {
			wait.Go(func() {
				req, err := http.NewRequestWithContext(t.Context(), c.method, r.url+c.path, strings.NewReader(c.body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("apiKey", r.key)
				req.Header.Set("api-key", r.key)
				req.Header.Set("api-login", "ops@example.com")
				req.Header.Set("Content-Type", c.kind)
				resp, err := r.client.Do(req)
				if err != nil {
					t.Errorf("%s %s: %v", c.method, c.path, err)
					return
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
				if resp.StatusCode != http.StatusServiceUnavailable || err != nil || after < 1 {
					t.Errorf("%s %s = %d, Retry-After %q, %s; want 503 and at least a second", c.method, c.path, resp.StatusCode, resp.Header.Get("Retry-After"), body)
				}
			})
		}
	}
	wait.Wait()
	release()
	eventually(t, "a call is served again", func() bool {
		status, _ := r.call("GET", "/2fa/v4/otp", "")
		return status == 200
	}, r.log.String)
}

func TestADatabaseThatGoesAwayMakesTheServerUnreadyUntilItIsBack(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Start(t)
	url := pgtest.Schema(t, cluster.URL())
	r := start(t, t.TempDir(), environ(url)...)
	r.configure()
	otp := r.send("+4915112345678")
	cluster.Stop(t)
	if status, text := r.call("GET", "/readyz", ""); status != 503 {
		t.Errorf("readyz without a database = %d %s; want 503", status, text)
	}
	r.must(200, "GET", "/livez", "")
	r.must(503, "POST", "/2fa/v4/otp/"+otp+"/validate", `{"otpCode":"123456"}`)
	cluster.StartAgain(t)
	eventually(t, "ready again", func() bool { status, _ := r.call("GET", "/readyz", ""); return status == 200 }, r.log.String)
	if got := r.must(200, "GET", "/2fa/v4/otp/"+otp, ""); !strings.Contains(got, `"ACTIVE"`) {
		t.Errorf("after the outage the OTP is %s; want it ACTIVE", got)
	}
}
