package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
)

// firstDigits finds a code of the version 1 API.
var firstDigits = regexp.MustCompile(`\d{4}`)

func TestAMoveIntoTheDatabaseOfTheSettingsTakesTheKeyFileBesideTheSQLiteFile(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	target := "COUNTERSIGN_DATABASE_URL=" + pgtest.Database(t)
	mover := onFiles(t, target)
	if got := mover.done("migrate", "--from", "sqlite:"+filepath.Join(p.dir, "countersign.db")); !strings.Contains(got, "is quarantined") {
		t.Errorf("migrate printed\n%s\nwant that the source is quarantined", got)
	}
	if r := mover.run("", "account", "list"); r.code != 2 || !strings.Contains(r.err, "secret_key") {
		t.Errorf("another command without a root key: exit code %d, %q; want 2", r.code, r.err)
	}
	root, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	node := onFiles(t, target, "COUNTERSIGN_SECRET_KEY="+strings.TrimSpace(string(root)))
	if got := node.done("account", "list"); !strings.Contains(got, "acme") {
		t.Errorf("the accounts after the move are %q; want acme", got)
	}
}

func TestAMoveThatIsRefusedNamesTheDatabaseAndNeverAPassword(t *testing.T) {
	t.Parallel()
	const url, closed = "postgres://u:hunter2@127.0.0.1:1/db", "postgres://127.0.0.1:1/db"
	p := onFiles(t)
	p.done("account", "create", "acme")
	from := "sqlite:" + filepath.Join(p.dir, "countersign.db")
	settings := *p
	settings.environ = append(slices.Clone(p.environ), "COUNTERSIGN_DATABASE_URL="+closed)
	for _, c := range []struct {
		in   *place
		args []string
		want string
	}{
		{p, []string{"migrate", "--from", url, "--to", from}, "--from"},
		{p, []string{"migrate", "--from=" + url}, "--from"},
		{p, []string{"migrate", "--from", from, "--to", "mysql" + url}, "--to is no PostgreSQL"},
		{p, []string{"migrate", "--from", from, "--to", "postgres://u:x@hunter2@127.0.0.1:1/db"}, "the database of --to: "},
		{p, []string{"migrate", "--from", from, "--to", url}, "the database of --to: "},
		{&settings, []string{"migrate", "--from", from}, "the database of environment variable COUNTERSIGN_DATABASE_URL: "},
		{p, []string{"migrate", url}, "unexpected argument …"},
		{p, []string{"migrate", "--from", from, "postgres://u:a hunter2@127.0.0.1:1/db"}, "unexpected argument …"},
		{p, []string{url}, "unexpected argument …"},
		{p, []string{"migrat"}, "unexpected argument migrat"},
	} {
		if r := c.in.run("", c.args...); r.code != 2 || !strings.Contains(r.err, c.want) || strings.Contains(r.err+r.out, "hunter2") {
			t.Errorf("%q: exit code %d, %q; want 2, %q in it, and no password", c.args, r.code, r.err, c.want)
		}
	}
}

func TestADeploymentMovesIntoPostgreSQLWithItsKeysOTPsAndCodes(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	s := p.serve()
	open, err := s.sendOTP("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(p.inbox("+4915112345678")[0], "\t")
	code := firstDigits.FindString(fields[len(fields)-1])
	spent, err := s.sendOTP("+4915112345679")
	if err != nil {
		t.Fatal(err)
	}
	check := func(s *serving, id, code string) (int, string) {
		t.Helper()
		status, body, err := s.post("/2fa/v1/otp/" + id + "/check?apiKey=" + s.key + "&otpCode=" + code)
		if err != nil {
			t.Fatal(err)
		}
		return status, body
	}
	fields = strings.Split(p.inbox("+4915112345679")[0], "\t")
	if status, body := check(s, spent, firstDigits.FindString(fields[len(fields)-1])); status != 202 {
		t.Fatalf("a check before the move: %d %s", status, body)
	}
	file := filepath.Join(p.dir, "countersign.db")
	target := pgtest.Database(t)
	move := []string{"migrate", "--from", "sqlite:" + file, "--to", target}
	if r := p.run("", move...); r.code != 2 || !strings.Contains(r.err, "a server uses") {
		t.Errorf("beside a running server: exit code %d, %q; want 2", r.code, r.err)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Fatalf("the server ended with %d", code)
	}
	other := onFiles(t, "COUNTERSIGN_SECRET_KEY="+rootKey)
	if r := other.run("", move...); r.code != 2 || !strings.Contains(r.err, "another root key") {
		t.Errorf("with another root key: exit code %d, %q; want 2", r.code, r.err)
	}
	if r := p.run("", "migrate", "--from", file, "--to", target); r.code != 2 || !strings.Contains(r.err, "sqlite:PATH") {
		t.Errorf("--from without its kind: exit code %d, %q; want 2", r.code, r.err)
	}
	if r := p.run("", "migrate", "--from", "sqlite:"+file); r.code != 2 || !strings.Contains(r.err, "postgres://") {
		t.Errorf("without --to: exit code %d, %q; want 2", r.code, r.err)
	}
	if got := p.done(move...); !strings.Contains(got, "\notps\t2\t") || !strings.Contains(got, "is quarantined") {
		t.Errorf("migrate printed\n%s\nwant two OTPs and that the source is quarantined", got)
	}
	if got := p.done(move...); !strings.Contains(got, "moved before") {
		t.Errorf("a second migrate printed\n%s", got)
	}
	if got := p.done("quarantine"); !strings.HasPrefix(got, "on\t") {
		t.Errorf("the source's quarantine is %q; want on", got)
	}

	root, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	node := onFiles(t, "COUNTERSIGN_DATABASE_URL="+target, "COUNTERSIGN_SECRET_KEY="+strings.TrimSpace(string(root)), "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	n := node.serve()
	if strings.Contains(strings.Join(n.lines, "\n"), "API key") {
		t.Errorf("the node made a key of its own: %q", n.lines)
	}
	n.key = s.key
	if status, body := check(n, open, code); status != 202 || !strings.Contains(body, "VERIFIED") {
		t.Errorf("a code of before the move: %d %s; want it VERIFIED", status, body)
	}
	if status, body, err := n.get("/2fa/v1/otp/" + spent + "?apiKey=" + n.key); status != 200 || err != nil || !strings.Contains(body, "VERIFIED") {
		t.Errorf("an OTP that was verified before the move: %d %s %v", status, body, err)
	}
	if fields := strings.Split(node.inbox("+4915112345678")[0], "\t"); !strings.Contains(fields[len(fields)-1], code) {
		t.Errorf("the sandbox message reads %q; want the code in it", fields)
	}
	if _, err := n.sendOTP("+4915112345670"); err != nil {
		t.Errorf("a send after the move: %v", err)
	}
	if r := p.run("", move...); r.code != 0 || !strings.Contains(r.out, "moved before") {
		t.Errorf("migrate while nodes run: exit code %d, %q %q; want that it was done before", r.code, r.out, r.err)
	}
	used := onFiles(t)
	used.done("account", "create", "acme")
	if r := used.run("", "migrate", "--from", "sqlite:"+filepath.Join(used.dir, "countersign.db"), "--to", target); r.code != 2 || !strings.Contains(r.err, "holds data") {
		t.Errorf("into a database that is used: exit code %d, %q; want 2", r.code, r.err)
	}
}
