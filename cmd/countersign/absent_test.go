package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestACommandOnADatabaseThatIsNotThereIsRefusedAndMakesNone(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	for _, args := range [][]string{
		{"account", "list"},
		{"account", "show", "acme"},
		{"account", "set", "acme", "sender=ACME"},
		{"account", "suspend", "acme"},
		{"account", "enable", "acme"},
		{"key", "create", "--account", "acme"},
		{"key", "list"},
		{"key", "revoke", "x"},
		{"send", "--account", "acme", "--to", "+4915112345678"},
		{"check", "--account", "acme", "x"},
		{"limit", "clear", "--account", "acme", "--to", "+4915112345678"},
		{"erase", "--to", "+4915112345678"},
		{"inbox"},
		{"callback", "list"},
		{"callback", "replay", "x"},
		{"callback", "secret", "x"},
		{"console", "users"},
		{"console", "remove", "x"},
		{"console", "invite", "--account", "acme", "--role", "owner"},
		{"backup", "--out", filepath.Join(t.TempDir(), "backup.db")},
		{"quarantine"},
		{"quarantine", "on"},
		{"audit", "verify"},
	} {
		r := p.run("123456", args...)
		if want := "there is no database " + filepath.Join(p.dir, "countersign.db"); r.code != 2 || r.out != "" || !strings.Contains(r.err, want) {
			t.Errorf("%v: exit code %d, out %q, err %q; want 2 and %s", args, r.code, r.out, r.err, want)
		}
	}
	if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
		t.Errorf("the data directory: %v; want none", err)
	}
	p.done("account", "create", "acme")
	p.done("account", "list")
}
