package main_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

var sixDigits = regexp.MustCompile(`\d{6}`)

// inbox waits until the recipient has a message and returns the lines of all,
// oldest first.
func (p *place) inbox(to string) []string {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if lines := strings.Split(p.done("inbox", "--to", to), "\n"); lines[0] != "" {
			return lines
		}
		if time.Now().After(deadline) {
			p.t.Fatal("no message came")
		}
	}
}

func TestSendAndCheckWorkBesideARunningServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.serve()
	for _, c := range []struct {
		to, channel, text, line string
		args                    []string
	}{
		{"+4915112345678", "SMS", "Your code is ", "VERIFY", nil},
		{"user@example.com", "EMAIL", "Your code is ", "-", nil},
		{"+4915112345679", "VOICE", "Say ", "-", []string{"--channel", "voice", "--text", "Say {{otp_code}}"}},
	} {
		id := p.done(append([]string{"send", "--account", "default", "--to", c.to}, c.args...)...)
		fields := strings.Split(p.inbox(c.to)[0], "\t")
		if len(fields) != 6 || fields[1] != "default" || fields[2] != c.channel || fields[3] != c.to || fields[4] != c.line || !strings.HasPrefix(fields[5], c.text) {
			t.Errorf("inbox line %q; want account, %s, %s, %s, %s…", fields, c.channel, c.to, c.line, c.text)
		}
		code := sixDigits.FindString(strings.ReplaceAll(fields[5], ", ", ""))
		wrong := "000000"
		if code == wrong {
			wrong = "111111"
		}
		for _, check := range []struct {
			code, state string
			exit        int
		}{{wrong, "ACTIVE", 0}, {code, "VERIFIED", 0}, {code, "VERIFIED", 1}, {wrong, "VERIFIED", 1}} {
			if r := p.run(check.code+"\n", "check", "--account", "default", id); r.code != check.exit || strings.TrimSpace(r.out) != check.state {
				t.Errorf("%s: check printed %q, exit code %d; want %s, %d", c.channel, r.out, r.code, check.state, check.exit)
			}
		}
	}
}

func TestAnOTPOfTheCommandIsUnknownToTheAPI(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve()
	id := p.done("send", "--account", "default", "--to", "+4915112345678")
	if status, _, err := s.get("/2fa/v4/otp/" + id); status != 404 || err != nil {
		t.Errorf("the API's answer: %d, %v; want 404", status, err)
	}
}

func TestWhatIsSentWithoutAServerGoesOutWhenOneStarts(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("account", "create", "acme")
	p.done("account", "set", "acme", "sender=ACME")
	p.done("send", "--account", "acme", "--to", "+4915112345678")
	s := p.serve()
	if len(s.lines) != 2 || !strings.HasPrefix(s.lines[1], "console ") {
		t.Errorf("a start on a database with accounts printed %q; want the address and a link to the console", s.lines)
	}
	if fields := strings.Split(p.inbox("+4915112345678")[0], "\t"); fields[4] != "ACME" {
		t.Errorf("sender %q; want the account's", fields[4])
	}
}

func TestInboxShowsAllThereIsOldestFirst(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve()
	const messages = 203
	shown := func(n int) (to []string) {
		for deadline := time.Now().Add(patience); len(to) < n && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			to = nil
			for line := range strings.Lines(p.done("inbox")) {
				if fields := strings.Split(line, "\t"); len(fields) > 3 {
					to = append(to, fields[3])
				}
			}
		}
		return to
	}
	var want []string
	for i := range messages {
		to := fmt.Sprintf("+49151%07d9", i) // the sandbox takes all of these
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/2fa/v1/otp?via=SMS&number="+url.QueryEscape(to), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("apiKey", s.key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("send %d: %s", i, resp.Status)
		}
		want = append(want, to)
		if i == 0 && len(shown(1)) != 1 {
			t.Fatal("the first message does not come")
		}
	}
	got := shown(messages)
	// Those that are handed over at once come in either order.
	if at := slices.Index(got, want[0]); at != 0 {
		t.Errorf("the oldest message is at %d; want it first", at)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
}

func TestInboxFollowsUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.serve()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, lines := p.following(ctx)
	for _, to := range []string{"+4915112345601", "+4915112345602"} {
		p.done("send", "--account", "default", "--to", to)
		if !lines.Scan() || !strings.Contains(lines.Text(), to) {
			t.Fatalf("followed %q; want the message to %s", lines.Text(), to)
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("one more line: %q", lines.Text())
	}
	if err := c.Wait(); err != nil {
		t.Errorf("interrupted: %v; want exit code 0", err)
	}
}

func TestAccountsAndTheirSettings(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if got := p.done("account", "create", "acme"); got != "acme" {
		t.Errorf("account create printed %q", got)
	}
	if r := p.run("", "account", "create", "acme"); r.code != 1 {
		t.Errorf("the same name again: exit code %d; want 1", r.code)
	}
	p.done("account", "set", "acme", "sender=ACME", "country=DE")
	show := p.done("account", "show", "acme")
	for _, want := range []string{"sender=ACME", "country=DE", "timezone=UTC", "octopush.code_length=6"} {
		if !strings.Contains(show+"\n", want+"\n") {
			t.Errorf("account show lacks %s:\n%s", want, show)
		}
	}
	p.done("account", "set", "acme", "sender=")
	if show := p.done("account", "show", "acme"); !strings.Contains(show+"\n", "sender=\n") {
		t.Errorf("an emptied setting keeps its value:\n%s", show)
	}
	p.done("account", "suspend", "acme")
	if list := p.done("account", "list"); !strings.HasPrefix(list, "acme\tsuspended\t") {
		t.Errorf("account list printed %q", list)
	}
}

func TestErasingARecipientRemovesWhatWasSentAndIsAudited(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("account", "create", "acme")
	id := p.done("send", "--account", "acme", "--to", "+4915112345678")
	other := p.done("send", "--account", "acme", "--to", "+4915112345679")
	if got := p.done("erase", "--to", "+49 151 1234 5678"); got != "erased 1" {
		t.Errorf("erase printed %q", got)
	}
	if r := p.run("123456", "check", "--account", "acme", id); r.code != 1 || r.out != "" {
		t.Errorf("the erased OTP: exit code %d, %q; want 1", r.code, r.out)
	}
	if r := p.run("123456", "check", "--account", "acme", other); r.code != 0 {
		t.Errorf("another recipient's OTP: exit code %d; want 0\n%s", r.code, r.err)
	}
	p.done("limit", "clear", "--account", "acme", "--to", "+4915112345679")
	db := p.open()
	var n int
	var texts string
	if err := db.QueryRowContext(t.Context(), "SELECT count(*), min(entry) || max(entry) FROM audit").Scan(&n, &texts); err != nil {
		t.Fatal(err)
	}
	if n != 2 || !strings.Contains(texts, `"erase"`) || !strings.Contains(texts, `"limit.clear"`) || strings.Contains(texts, "49151") {
		t.Errorf("%d audit entries: %s; want both, without numbers", n, texts)
	}
}

// open opens the database itself.
func (p *place) open() *sql.DB {
	p.t.Helper()
	driver, name := "sqlite", filepath.Join(p.dir, "countersign.db")
	if p.url != "" {
		driver, name = "pgx", p.url
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestADatabaseOfANewerVersionIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("migrate")
	db := p.open()
	if p.url == "" { // so that all of it is in one file
		if _, err := db.ExecContext(t.Context(), "PRAGMA journal_mode = DELETE"); err != nil {
			t.Fatal(err)
		}
	}
	for _, statement := range []string{
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)",
		"INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 9999) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := p.sum()
	for _, args := range [][]string{{"serve"}, {"migrate"}, {"account", "list"}, {"key", "create", "--account", "default"}} {
		if r := p.run("", args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, "newer schema") {
			t.Errorf("%v: exit code %d, %q, %q; want 2 and that the schema is newer", args, r.code, r.out, r.err)
		}
	}
	if p.sum() != before {
		t.Error("the database was changed")
	}
}

// sum is the hash of the database file, or of what the commands would change
// first in PostgreSQL.
func (p *place) sum() [sha256.Size]byte {
	p.t.Helper()
	if p.url != "" {
		var text string
		err := p.open().QueryRowContext(p.t.Context(), `SELECT concat((SELECT string_agg(m::text, ' ' ORDER BY name) FROM meta m), (SELECT string_agg(v::text, ' ') FROM versions v),
			(SELECT string_agg(g::text, ' ' ORDER BY id) FROM goose_db_version g), (SELECT count(*) FROM accounts), (SELECT count(*) FROM api_keys))`).Scan(&text)
		if err != nil {
			p.t.Fatal(err)
		}
		return sha256.Sum256([]byte(text))
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "countersign.db"))
	if err != nil {
		p.t.Fatal(err)
	}
	return sha256.Sum256(text)
}

func TestAnOlderSchemaIsRefusedWhereMigratingIsOff(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "COUNTERSIGN_MIGRATE=false")
	p.done("account", "create", "acme") // an empty database is always set up
	db := p.open()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if r := p.run("", "account", "list"); r.code != 2 || !strings.Contains(r.err, "migrate") {
		t.Errorf("exit code %d, %q; want 2 and what to do", r.code, r.err)
	}
}

func TestTheREADMEsWalkWorksAsItIsWritten(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(readme), "<!-- walk:")
	if !ok {
		t.Fatal("README.md has no walk")
	}
	walk := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(after)
	if walk == nil {
		t.Fatal("README.md has no walk")
	}
	s := newPlace(t).serve()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// The second that people wait for the message is as long as that takes.
	const sleep = `sleep() { curl -sS -o /dev/null -H "apiKey: $KEY" "$SERVER/sandbox/messages/wait?otpId=$ID&timeout=50"; }` + "\n"
	c := exec.CommandContext(ctx, "bash", "-eu", "-c", "SERVER="+s.url+"\nKEY="+s.key+"\n"+sleep+walk[1])
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("the walk: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if n := len(lines); n < 3 || !strings.Contains(string(out), "Your code is ") ||
		lines[n-2] != `{"otpStatus":"VERIFIED"}` || lines[n-1] != `{"otpStatus":"ALREADY_REPORTED"}` {
		t.Errorf("the walk printed\n%s", out)
	}
	for _, refused := range []string{`"status":4`, `"status":5`} {
		if strings.Contains(string(out), refused) {
			t.Errorf("a step was refused:\n%s", out)
		}
	}
}

func TestLimitClearForgetsOneRecipientAndIsAuditedByItsKeyedHash(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "COUNTERSIGN_SANDBOX_LIMITS=true", "COUNTERSIGN_SENDS_PER_RECIPIENT=1")
	p.done("account", "create", "acme")
	p.done("account", "create", "other")
	send := []string{"send", "--account", "acme", "--to", "+4915112345678"}
	p.done(send...)
	if r := p.run("", send...); r.code != 1 {
		t.Fatalf("a send over the limit: exit code %d, %q; want 1", r.code, r.err)
	}
	if got := p.done("limit", "clear", "--account", "other", "--to", "+4915112345678"); got != "nothing was counted" {
		t.Errorf("limit clear of another account printed %q", got)
	}
	if r := p.run("", send...); r.code != 1 {
		t.Errorf("a send after another account was cleared: exit code %d, %q; want 1", r.code, r.err)
	}
	if got := p.done("limit", "clear", "--account", "acme", "--to", "+4915112345678"); got != "cleared" {
		t.Errorf("limit clear printed %q", got)
	}
	p.done(send...)
	db := p.open()
	var entry string
	if err := db.QueryRowContext(t.Context(), "SELECT entry FROM audit ORDER BY seq DESC LIMIT 1").Scan(&entry); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`"account":"acme","subject":"[0-9a-f]{32}"`).MatchString(entry) {
		t.Errorf("the audit entry is %s; want the account and the recipient's keyed hash", entry)
	}
}
