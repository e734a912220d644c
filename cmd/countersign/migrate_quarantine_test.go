package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// checkAt checks a code over the version 1 API.
func (s *serving) checkAt(id, code string) (int, string) {
	s.t.Helper()
	status, body, err := s.post("/2fa/v1/otp/" + id + "/check?apiKey=" + s.key + "&otpCode=" + code)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, body
}

// moved moves a place's SQLite file and returns what was printed and a place
// for a node on what it was moved to.
func (p *place) moved(target string) (printed string, node *place) {
	p.t.Helper()
	printed = p.done("migrate", "--from", "sqlite:"+filepath.Join(p.dir, "countersign.db"), "--to", target)
	root, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	if err != nil {
		p.t.Fatal(err)
	}
	return printed, onFiles(p.t, "COUNTERSIGN_DATABASE_URL="+target, "COUNTERSIGN_SECRET_KEY="+strings.TrimSpace(string(root)), "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
}

const heldToo = "the PostgreSQL database is quarantined too"

// A code verifies once, whatever was copied and moved where (V-02, D-10).
func TestWhatIsMovedFromACopyAcceptsNoCodeOfBefore(t *testing.T) {
	t.Parallel()
	p := onFiles(t, "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	s := p.serve()
	spent, err := s.sendOTP("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(p.inbox("+4915112345678")[0], "\t")
	code := firstDigits.FindString(fields[len(fields)-1])
	file := filepath.Join(t.TempDir(), "backup.db")
	p.done("backup", "--out", file)
	if status, body := s.checkAt(spent, code); status != 202 || !strings.Contains(body, "VERIFIED") {
		t.Fatalf("a check on the original: %d %s; want it VERIFIED", status, body)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Fatalf("the server ended with %d", code)
	}

	copied := onFiles(t, "COUNTERSIGN_SENDS_PER_RECIPIENT=0")
	copied.done("restore", "--from", file)
	root, err := os.ReadFile(filepath.Join(p.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied.dir, "secret.key"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	printed, node := copied.moved(pgtest.Database(t))
	if !strings.Contains(printed, heldToo) {
		t.Errorf("migrate of a restored backup printed\n%s\nwant %q", printed, heldToo)
	}
	n := node.serve()
	n.key = s.key
	if status, body := n.checkAt(spent, code); status != 503 {
		t.Errorf("the code that the original verified, after restore and migrate: %d %s; want 503", status, body)
	}
	if _, err := n.sendOTP("+4915112345670"); err == nil {
		t.Error("a restored backup that was moved sends")
	}
	if got := node.done("quarantine", "release"); !strings.HasPrefix(got, "off\tended 1") {
		t.Errorf("quarantine release printed %q; want that it ended the one that is open", got)
	}
	status, body := n.checkAt(spent, code)
	for deadline := time.Now().Add(patience); status == 503 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		status, body = n.checkAt(spent, code)
	}
	if status == 503 || strings.Contains(body, "VERIFIED") {
		t.Errorf("the same code after the release: %d %s; want it refused", status, body)
	}
}

func TestAFileThatWasMovedBeforeIsMovedElsewhereAsACopy(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	first, second := pgtest.Database(t), pgtest.Database(t)
	printed, node := p.moved(first)
	if strings.Contains(printed, heldToo) {
		t.Errorf("the first migrate printed\n%s\nwant no quarantine of the target", printed)
	}
	printed, other := p.moved(second)
	if !strings.Contains(printed, heldToo) {
		t.Errorf("the second migrate printed\n%s\nwant %q", printed, heldToo)
	}
	if got := other.done("quarantine"); !strings.HasPrefix(got, "on\t") {
		t.Errorf("the second database's quarantine is %q; want on: two of one file would be live", got)
	}
	printed, _ = p.moved(first)
	if got := node.done("quarantine"); got != "off" || !strings.Contains(printed, "moved before") {
		t.Errorf("once more into the first: quarantine %q, and migrate printed\n%s\nwant off and that it was moved before", got, printed)
	}
}
