package main_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/testdb"
)

// onFiles is a place whose database is a file, whatever is tested now. Commands
// wait some seconds for a server's commit, which a disk that others use too can
// take: like that of newPlace it is in memory.
func onFiles(t *testing.T, environ ...string) *place {
	t.Helper()
	return &place{t: t, dir: filepath.Join(testdb.Dir(t), "data"), environ: environ}
}

// sendOTP sends over the version 1 API and returns the OTP's id.
func (s *serving) sendOTP(number string) (string, error) {
	status, body, err := s.post("/2fa/v1/otp?" + url.Values{"apiKey": {s.key}, "number": {number}}.Encode())
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"otpId"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status/100 != 2 || made.ID == "" {
		return "", fmt.Errorf("a send was answered %d %s: %w", status, body, err)
	}
	return made.ID, nil
}

func (s *serving) post(path string) (int, string, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// under runs during while callers send, and returns the ids that were
// acknowledged before during was begun and in all.
func (s *serving) under(during func()) (before, all []string) {
	s.t.Helper()
	var over atomic.Bool
	defer over.Store(true)
	var mu sync.Mutex
	var sent atomic.Int64
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for !over.Load() {
				id, err := s.sendOTP(fmt.Sprintf("+49151%08d", sent.Add(1)))
				if err != nil {
					s.t.Error(err)
					return
				}
				mu.Lock()
				all = append(all, id)
				mu.Unlock()
			}
		})
	}
	for deadline := time.Now().Add(patience); len(before) < 50 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		mu.Lock()
		before = append(before[:0], all...)
		mu.Unlock()
	}
	during()
	over.Store(true)
	callers.Wait()
	return before, all
}

// copied checks a server on a copy of a database: it knows what was
// acknowledged before the copy was begun, sends nothing and accepts nothing
// until it is released.
func copied(t *testing.T, p *place, key string, before []string) {
	t.Helper()
	if got := p.done("quarantine"); !strings.HasPrefix(got, "on\t") {
		t.Fatalf("quarantine printed %q; want that it is on", got)
	}
	messages := p.done("inbox")
	s := p.serve()
	s.key = key
	for _, id := range before {
		if status, body, err := s.get("/2fa/v1/otp/" + id + "?apiKey=" + key); status != 200 || err != nil {
			t.Fatalf("an OTP of before the copy: %d %s %v", status, body, err)
		}
	}
	if status, _, err := s.post("/2fa/v1/otp/" + before[0] + "/check?otpCode=1234&apiKey=" + key); status != 503 || err != nil {
		t.Errorf("a check in quarantine: %d %v; want 503", status, err)
	}
	if id, err := s.sendOTP("+4915199999999"); err == nil {
		t.Errorf("in quarantine %s was sent", id)
	}
	if r := p.run("", "send", "--account", "default", "--to", "+4915199999998"); r.code != 1 || !strings.Contains(r.err, "quarantined") {
		t.Errorf("send in quarantine: exit code %d, %q; want 1 and why", r.code, r.err)
	}
	time.Sleep(time.Second) // longer than anything that polls waits
	if now := p.done("inbox"); now != messages {
		t.Errorf("in quarantine was sent\n%s\nbefore it there was\n%s", now, messages)
	}
	if got := p.done("quarantine", "release"); !strings.HasPrefix(got, "off\tended ") {
		t.Errorf("quarantine release printed %q", got)
	}
	if got := p.done("quarantine"); got != "off" {
		t.Errorf("quarantine printed %q after the release", got)
	}
	stolen.Within(t, time.Second, "a send is accepted after the release", func() bool {
		_, err := s.sendOTP("+4915199999997")
		return err == nil
	})
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the server ended with %d\n%s", code, s.errs)
	}
}

func TestABackupThatIsMadeUnderLoadIsRestoredWholeAndQuarantined(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	s := p.serve()
	file := filepath.Join(t.TempDir(), "backup.db")
	before, all := s.under(func() {
		if got := p.done("backup", "--out", file); got != file {
			t.Errorf("backup printed %q; want the file", got)
		}
	})
	if len(all) <= len(before) {
		t.Error("nothing was sent while the backup was made")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v, %v; want 0600", info.Mode(), err)
	}
	secret, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), strings.TrimSpace(string(secret))) {
		t.Errorf("the backup holds the root key, or %v", err)
	}
	if r := p.run("", "backup", "--out", file); r.code != 2 || !strings.Contains(r.err, "new file") {
		t.Errorf("a backup over a file: exit code %d, %q; want 2", r.code, r.err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 1 {
		t.Errorf("beside the backup is %v, %v", files, err)
	}

	other := onFiles(t, "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	if got := other.done("restore", "--from", file); !strings.Contains(got, "secret.key") {
		t.Errorf("a restore without the key printed %q; want that it is needed", got)
	}
	if r := other.run("", "account", "list"); r.code != 2 || !strings.Contains(r.err, "key file") {
		t.Errorf("without the key: exit code %d, %q; want 2", r.code, r.err)
	}
	if err := os.WriteFile(filepath.Join(other.dir, "secret.key"), secret, 0o600); err != nil {
		t.Fatal(err)
	}
	copied(t, other, s.key, before)
	if r := other.run("", "restore", "--from", file); r.code != 2 || !strings.Contains(r.err, "exists") {
		t.Errorf("a restore over a database: exit code %d, %q; want 2", r.code, r.err)
	}
}

func TestABackupOpenedWithoutARestoreIsQuarantinedToo(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_SECRET_KEY="+rootKey)
	p.done("account", "create", "acme")
	file := filepath.Join(t.TempDir(), "backup.db")
	p.done("backup", "--out", file)
	p.environ = append(p.environ, "COUNTERSIGN_DATABASE_URL=sqlite:"+file)
	if got := p.done("quarantine"); !strings.HasPrefix(got, "on\t") {
		t.Errorf("quarantine printed %q; want that it is on", got)
	}
}

func TestWhatIsNoBackupOfThisDeploymentIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_SECRET_KEY="+rootKey)
	p.done("account", "create", "acme")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	p.done("backup", "--out", at("good.db"))
	good, err := os.ReadFile(at("good.db"))
	if err != nil {
		t.Fatal(err)
	}
	torn := append([]byte(nil), good...)
	for i := len(torn) / 2; i < len(torn)/2+8192; i++ {
		torn[i] = 0xa5
	}
	for name, content := range map[string][]byte{
		"cut.db": good[:len(good)/2], "short.db": good[:len(good)-2], "torn.db": torn, "letters.db": []byte("not a database but somebody's letters"), "empty.db": nil,
	} {
		if err := os.WriteFile(at(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := sql.Open("sqlite", at("other.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), "CREATE TABLE letters (text TEXT)"); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	for name, environ := range map[string]string{
		"cut.db": "", "short.db": "", "torn.db": "", "letters.db": "", "empty.db": "", "other.db": "", "absent.db": "",
		"good.db": "COUNTERSIGN_SECRET_KEY=xmCV0Jv8R/CxFSTnGFEZHND9jtWkYRtTyST7vBUZb/w=",
	} {
		to := onFiles(t, "COUNTERSIGN_SECRET_KEY="+rootKey, environ)
		if r := to.run("", "restore", "--from", at(name)); r.code != 2 || !strings.Contains(r.err, "expected") {
			t.Errorf("%s: exit code %d, %q; want 2 and what was expected", name, r.code, r.err)
		}
		if left, _ := filepath.Glob(filepath.Join(to.dir, "*.db*")); len(left) != 0 && left[0] != filepath.Join(to.dir, "countersign.db.open") {
			t.Errorf("%s left %v", name, left)
		}
	}
}

func TestPostgreSQLDatabasesAreCopiedWithTheirOwnToolsAndQuarantined(t *testing.T) {
	t.Parallel()
	source := pgtest.Ready(t)
	environ := []string{"COUNTERSIGN_SECRET_KEY=" + rootKey, "COUNTERSIGN_SENDS_PER_RECIPIENT=0"}
	p := onFiles(t, append(environ, "COUNTERSIGN_DATABASE_URL="+source)...)
	for _, args := range [][]string{{"backup", "--out", "x.db"}, {"restore", "--from", "x.db"}} {
		if r := p.run("", args...); r.code != 2 || !strings.Contains(r.err, "pg_dump") {
			t.Errorf("%v: exit code %d, %q; want 2 and what to use", args, r.code, r.err)
		}
	}
	s := p.serve()
	file := filepath.Join(t.TempDir(), "countersign.dump")
	before, _ := s.under(func() {
		pgtest.Tool(t, "pg_dump", "--format=custom", "--enable-row-security", "--file="+file, "--dbname="+source)
	})
	target := pgtest.Database(t)
	pgtest.Tool(t, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", "--dbname="+target, file)
	to := onFiles(t, append(environ, "COUNTERSIGN_DATABASE_URL="+target)...)
	to.done("quarantine", "on")
	copied(t, to, s.key, before)
}
