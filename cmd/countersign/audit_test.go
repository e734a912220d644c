package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// P-07: nothing is done that the list does not tell of.
func TestWhatTheAuditListCannotTakeIsNotDone(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	db := p.open()
	defer db.Close()
	for _, statement := range []string{
		"CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END", "DROP TRIGGER full",
	} {
		full := strings.HasPrefix(statement, "CREATE")
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		code := 0
		if full {
			code = 1
		}
		file := filepath.Join(t.TempDir(), "backup.db")
		if r := p.run("", "backup", "--out", file); r.code != code {
			t.Errorf("backup: exit code %d, %q; want %d", r.code, r.err, code)
		}
		if _, err := os.Stat(file); os.IsNotExist(err) != full {
			t.Errorf("the backup's file, the list full %v: %v", full, err)
		}
		if r := p.run("", "quarantine", "on"); r.code != code {
			t.Errorf("quarantine on: exit code %d, %q; want %d", r.code, r.err, code)
		}
		if got := p.done("quarantine"); (got == "off") != full {
			t.Errorf("quarantine, the list full %v: %q", full, got)
		}
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END"); err != nil {
		t.Fatal(err)
	}
	if r := p.run("", "quarantine", "release"); r.code != 1 {
		t.Errorf("quarantine release: exit code %d, %q; want 1", r.code, r.err)
	}
	if got := p.done("quarantine"); got == "off" {
		t.Error("the quarantine was ended though the list does not tell of it")
	}
}

func TestAnEmptyCheckpointIsRefusedAndProvesNothing(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	p.done("limit", "clear", "--account", "acme", "--to", "+4915112345678")
	p.done("audit", "verify", strings.Split(p.done("audit", "verify"), "\t")[1])
	for _, text := range []string{"", " ", "garbage"} {
		if r := p.run("", "audit", "verify", text); r.code != 2 || r.out != "" || !strings.Contains(r.err, "CHECKPOINT") {
			t.Errorf("audit verify %q: exit code %d, %q %q; want 2 and a word of CHECKPOINT", text, r.code, r.out, r.err)
		}
	}
}
