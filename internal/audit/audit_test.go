package audit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/secret"
)

// list is a store in memory.
type list struct{ entries []audit.Sealed }

func (l *list) AppendAudit(_ context.Context, seal func(int64, []byte, time.Time) (audit.Sealed, error)) error {
	var previous []byte
	if n := len(l.entries); n > 0 {
		previous = l.entries[n-1].Link
	}
	e, err := seal(int64(len(l.entries)+1), previous, time.UnixMicro(1_700_000_000_000_000))
	if err == nil {
		l.entries = append(l.entries, e)
	}
	return err
}

func (l *list) AuditEntries(_ context.Context, from int64, limit int) ([]audit.Sealed, error) {
	at := slices.IndexFunc(l.entries, func(e audit.Sealed) bool { return e.Seq >= from })
	if at < 0 {
		return nil, nil
	}
	return l.entries[at:min(at+limit, len(l.entries))], nil
}

// precede puts a copy of the first entry before it, under another number.
func (l *list) precede(seq int64) {
	e := l.entries[0]
	e.Seq = seq
	l.entries = slices.Insert(l.entries, 0, e)
}

func keyring(t *testing.T) *secret.Keyring {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheListProvesItself(t *testing.T) {
	t.Parallel()
	const n = 2500 // more than one batch
	for _, c := range []struct {
		name   string
		tamper func(*list)
		want   error
		intact int64
	}{
		{"untouched", func(*list) {}, nil, n},
		{"a changed text", func(l *list) { l.entries[1200].Text = "{}" }, audit.ErrChain, 1200},
		{"a changed time", func(l *list) { l.entries[1200].At = l.entries[1200].At.Add(time.Hour) }, audit.ErrChain, 1200},
		{"a removed entry", func(l *list) { l.entries = slices.Delete(l.entries, 1200, 1201) }, audit.ErrChain, 1200},
		{"two exchanged texts", func(l *list) {
			l.entries[5].Text, l.entries[6].Text = l.entries[6].Text, l.entries[5].Text
		}, audit.ErrChain, 5},
		{"the first removed", func(l *list) { l.entries = l.entries[1:] }, audit.ErrChain, 0},
		{"a copy put in as number 0", func(l *list) { l.precede(0) }, audit.ErrChain, 0},
		{"a copy put in as number -1", func(l *list) { l.precede(-1) }, audit.ErrChain, 0},
		{"a copy put in as the lowest number", func(l *list) { l.precede(math.MinInt64) }, audit.ErrChain, 0},
		{"another key's entry", func(l *list) { l.entries[7].Key++ }, audit.ErrKeyUnknown, 7},
		{"another key's entry in a gap", func(l *list) { l.entries = slices.Delete(l.entries, 7, 8); l.entries[7].Key++ }, audit.ErrChain, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := &list{}
			log := audit.New(store, keyring(t))
			for i := range n {
				account := []string{"acme", "globex"}[i%2]
				if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionErase, Actor: "cli ops", Account: account}); err != nil {
					t.Fatal(err)
				}
			}
			c.tamper(store)
			got, err := log.Verify(t.Context())
			if got != c.intact || !errors.Is(err, c.want) {
				t.Errorf("Verify = %d, %v; want %d, %v", got, err, c.intact, c.want)
			}
		})
	}
}

func TestAListMadeUnderAnEarlierKeyIsStillProved(t *testing.T) {
	t.Parallel()
	var roots [2]secret.Root
	for i := range roots {
		var err error
		if roots[i], err = secret.NewRoot(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	store := &list{}
	for _, known := range [][]secret.Root{{roots[0]}, {roots[1], roots[0]}} {
		keys, err := secret.NewKeyring(known[0], known[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		log := audit.New(store, keys)
		if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionClearLimit, Actor: "cli ops"}); err != nil {
			t.Fatal(err)
		}
		if n, err := log.Verify(t.Context()); err != nil || n != int64(len(store.entries)) {
			t.Errorf("Verify = %d, %v; want all of %d", n, err, len(store.entries))
		}
	}
}

func TestAKeyThatIsNotListedIsNoTampering(t *testing.T) {
	t.Parallel()
	store := &list{}
	before := audit.New(store, keyring(t))
	if err := before.Append(t.Context(), audit.Entry{Action: audit.ActionErase, Actor: "cli ops"}); err != nil {
		t.Fatal(err)
	}
	p, err := before.Prove(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := before.Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	after := audit.New(store, keyring(t))
	if n, err := after.Verify(t.Context()); n != 0 || !errors.Is(err, audit.ErrKeyUnknown) || errors.Is(err, audit.ErrChain) {
		t.Errorf("Verify without the key = %d, %v; want ErrKeyUnknown alone", n, err)
	}
	if p, err := after.Prove(t.Context()); err != nil || p.Holds() || !p.Keyless || p.Broken != 1 {
		t.Errorf("Prove without the key = %+v, %v; want the first entry broken for want of its key", p, err)
	}
	if err := after.Since(t.Context(), signed); !errors.Is(err, audit.ErrKeyUnknown) || errors.Is(err, audit.ErrCheckpoint) {
		t.Errorf("Since a checkpoint of a key that is not listed = %v; want ErrKeyUnknown alone", err)
	}
	if err := before.Since(t.Context(), signed); err != nil {
		t.Errorf("Since with its key = %v", err)
	}
}
