package main_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
)

// Further root keys.
const (
	nextKey  = "xmCV0Jv8R/CxFSTnGFEZHND9jtWkYRtTyST7vBUZb/w="
	thirdKey = "TinLOJ5h7eSyM+zhvpJtwnfj6oPapXSIDLZoM7SMSV4="
)

// with is the place with other root keys.
func (p *place) with(current string, previous ...string) *place {
	other := *p
	other.environ = append(slices.Clone(p.environ), "COUNTERSIGN_SECRET_KEY="+current, "COUNTERSIGN_SECRET_KEY_PREVIOUS="+strings.Join(previous, ","))
	return &other
}

// wrongKeys fails the test unless the command is refused for its root keys.
func (p *place) wrongKeys(want string, args ...string) {
	p.t.Helper()
	if r := p.run("", args...); r.code != 2 || r.out != "" || !strings.Contains(r.err, "secret_key_previous") || !strings.Contains(r.err, want) {
		p.t.Errorf("countersign %v: exit code %d, %q %q; want 2, secret_key_previous and %q", args, r.code, r.out, r.err, want)
	}
}

// Only the last key's index finds what was sent under it: another would begin
// the limits anew and let an erasure find nothing (C-06, L-02, P-05). One that is
// not listed any more is warned of, since a key that leaked has to go.
func TestTheRootKeyThatIndexesRecipientsStaysTheLastOfTheList(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const to = "+4915112345678"
	old := p.with(rootKey)
	old.done("account", "create", "acme")
	old.done("send", "--account", "acme", "--to", to)

	p.with(rootKey, nextKey, rootKey).done("account", "list") // the first round of a rotation
	for range 2 {
		p.with(nextKey, rootKey).done("account", "list")
		for _, args := range [][]string{{"serve"}, {"account", "list"}, {"migrate"}, {"erase", "--to", to}} {
			p.with(thirdKey, rootKey, nextKey).wrongKeys("newest first", args...)
		}
		if r := p.with(nextKey).run("", "account", "list"); r.code != 0 || !strings.Contains(r.err, "a root key that is not listed") {
			t.Errorf("without the oldest key: exit code %d, %q; want it warned of", r.code, r.err)
		}
		p.with(nextKey).wrongKeys("nobody would be found", "erase", "--to", to)
		p.with(nextKey).wrongKeys("nobody would be found", "limit", "clear", "--account", "acme", "--to", to)
		old.wrongKeys("made with", "account", "list")
	}
	p.with(nextKey, rootKey).done("account", "list") // what was refused changed nothing
	if got := p.with(thirdKey, nextKey, rootKey).done("erase", "--to", to); got != "erased 1" {
		t.Errorf("after two rotations erase printed %q; want that it found what was sent before them", got)
	}
}

func TestADatabaseOfAnEarlierVersionIsBoundToTheIndexKeyOfItsFirstStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const to = "+4915112345678"
	p.with(rootKey).done("account", "create", "acme")
	p.with(rootKey).done("send", "--account", "acme", "--to", to)
	if _, err := p.open().ExecContext(t.Context(), "DELETE FROM meta WHERE name = 'index_key_id'"); err != nil {
		t.Fatal(err)
	}
	p.with(nextKey).wrongKeys("made with", "account", "list")
	if got := p.with(nextKey, rootKey).done("erase", "--to", to); got != "erased 1" {
		t.Errorf("in a rotation at once with the update erase printed %q", got)
	}
	p.with(nextKey).wrongKeys("nobody would be found", "erase", "--to", to)
}

func TestAnAuditListWhoseKeyIsNotListedIsNotCalledTamperedWith(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.with(rootKey, nextKey).done("account", "create", "acme")
	p.with(rootKey, nextKey).done("limit", "clear", "--account", "acme", "--to", "+4915112345678")
	fields := strings.Split(p.with(rootKey, nextKey).done("audit", "verify"), "\t")
	last := p.with(thirdKey, rootKey, nextKey)
	last.done("audit", "verify", fields[1])
	last = p.with(thirdKey, nextKey)
	last.wrongKeys("cannot be proven", "audit", "verify")
	if r := last.run("", "audit", "verify"); strings.Contains(r.err, "hold together") {
		t.Errorf("said %q; want no word of tampering", r.err)
	}
}

func TestABackupIsNotRestoredWhereAnotherKeyOfItsIsTheLast(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	p.with(rootKey).done("account", "create", "acme")
	file := filepath.Join(t.TempDir(), "backup.db")
	p.with(nextKey, rootKey).done("backup", "--out", file)
	to := onFiles(t)
	to.with(thirdKey, rootKey, nextKey).wrongKeys("newest first", "restore", "--from", file)
	to.with(nextKey, rootKey).done("restore", "--from", file)
	to.with(thirdKey, rootKey, nextKey).wrongKeys("newest first", "account", "list")
}

func TestAMoveBringsTheIndexKeyOfItsSource(t *testing.T) {
	t.Parallel()
	p := onFiles(t)
	const to = "+4915112345678"
	p.with(rootKey).done("account", "create", "acme")
	p.with(rootKey).done("send", "--account", "acme", "--to", to)
	p.with(nextKey, rootKey).done("account", "list")
	target := onFiles(t, "COUNTERSIGN_DATABASE_URL="+pgtest.Database(t))
	target.with(nextKey).done("account", "list") // and so bound the empty target
	target.with(nextKey, rootKey).done("migrate", "--from", "sqlite:"+filepath.Join(p.dir, "countersign.db"))
	target.with(nextKey).wrongKeys("nobody would be found", "erase", "--to", to)
	if got := target.with(nextKey, rootKey).done("erase", "--to", to); got != "erased 1" {
		t.Errorf("after the move erase printed %q; want that it found what was sent before", got)
	}
}
