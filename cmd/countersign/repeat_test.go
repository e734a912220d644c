package main_test

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/callback"
)

func TestAKeyOrSecretAmongTheArgumentsIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	key := p.done("key", "create", "--account", "acme")
	made, err := callback.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := made.Reveal()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"key", "revoke", key}, "argument 3 is an API key"},
		{[]string{"key", "revoke", " " + key[:len(key)-1]}, "argument 3 is an API key"},
		{[]string{"key", key}, "argument 2 is an API key"},
		{[]string{key}, "argument 1 is an API key"},
		{[]string{"key", "list", "--account", key}, "argument 4 is an API key"},
		{[]string{"key", "list", "--account=" + key}, "argument 3 is an API key"},
		{[]string{"key", "create", "--account", "acme", "--name", key}, "argument 6 is an API key"},
		{[]string{"account", "set", "acme", key}, "argument 4 is an API key"},
		{[]string{"callback", "replay", key}, "argument 3 is an API key"},
		{[]string{"console", "remove", key}, "argument 3 is an API key"},
		{[]string{"carrier", "check", key}, "argument 3 is an API key"},
		{[]string{"callback", "secret", secret}, "argument 3 is a signing secret"},
		{[]string{"quarantine", secret}, "argument 2 is a signing secret"},
	} {
		r := p.run("", c.args...)
		if r.code != 2 || !strings.Contains(r.err, c.says) || strings.Contains(r.out+r.err, key[30:50]) || strings.Contains(r.out+r.err, secret[10:30]) {
			t.Errorf("%q: exit code %d, out %q, err %q; want 2, %q and nothing repeated", c.args, r.code, r.out, r.err, c.says)
		}
	}
	if got := p.done("key", "list"); strings.Count(got, "\n") != 0 || !strings.Contains(got, "active") {
		t.Errorf("the keys are\n%s\nwant the first only, active", got)
	}
}

func TestAnArgumentThatNothingIsKnownOfIsNotRepeated(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.done("account", "create", "acme")
	const chosen = "Chosen-Key-0123456789abcdef"
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"check", "--account", "acme", "o1", "739146"}, 2, "behind check <id>; countersign check --help"},
		{[]string{"erase", "+4917612345678"}, 2, "behind erase;"},
		{[]string{"limit", "clear", "user@example.com"}, 2, "behind limit clear; countersign limit clear --help"},
		{[]string{"739146"}, 2, "countersign --help"},
		{[]string{"key", "739146"}, 2, "countersign key --help"},
		{[]string{"quarantine", "739146"}, 2, "must be one of"},
		{[]string{"account", "show", "+4917612345678"}, 1, "not found"},
		{[]string{"account", "suspend", "+4917612345678"}, 1, "not found"},
		{[]string{"account", "set", "acme", "+4917612345678"}, 2, "setting 1 is none"},
		{[]string{"key", "create", "--account", chosen}, 1, "not found"},
		{[]string{"console", "invite", "--role", "owner", "--account", chosen}, 1, "no such account"},
		{[]string{"key", "revoke", chosen}, 1, "not found"},
		{[]string{"callback", "replay", chosen}, 1, "not found"},
		{[]string{"callback", "secret", chosen}, 1, "not found"},
		{[]string{"console", "remove", chosen}, 1, "no such console user"},
		{[]string{"--config", "log_level = \"info\"\nsecret_key = \"" + chosen + "\"", "account", "list"}, 2, "the path of their file"},
	} {
		r := p.run("", c.args...)
		said := r.out + r.err
		if r.code != c.code || !strings.Contains(r.err, c.says) {
			t.Errorf("%q: exit code %d, err %q; want %d and %q", c.args, r.code, r.err, c.code, c.says)
		}
		for _, kept := range []string{"739146", "4917612345678", "user@", strings.ToLower(chosen)} {
			if strings.Contains(strings.ToLower(said), kept) {
				t.Errorf("%q said %q; want nothing of %s", c.args, said, kept)
			}
		}
	}
	for mistyped, meant := range map[string]string{"migrat": "migrate", "key revok": "revoke"} {
		if r := p.run("", strings.Fields(mistyped)...); r.code != 2 || !strings.Contains(r.err, "did you mean \""+meant+"\"") {
			t.Errorf("%s: exit code %d, %q; want 2 and that %s is meant", mistyped, r.code, r.err, meant)
		}
	}
	file := filepath.Join(t.TempDir(), "otp_live_2026.db")
	if got := p.done("backup", "--out", file); got != file {
		t.Errorf("backup printed %q, want %s", got, file)
	}
}
