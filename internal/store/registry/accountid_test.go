package registry_test

import (
	"context"
	"testing"

	"github.com/countersign/countersign/internal/store/registry"
)

const lostID = 7

// lostAccount is a row of the account lost.
type lostAccount struct{}

func (lostAccount) Scan(dest ...any) error {
	switch d := dest[0].(type) {
	case *int64:
		*d = lostID
	case *string:
		*d = "lost"
	}
	return nil
}

// primary is a database that another replaces, as onSuccession says, before each of
// its answers has come.
type primary struct {
	registry.Database

	onSuccession func()
}

func (p *primary) Ask(context.Context, int64) registry.Ask {
	return func(each func(registry.Row) error, _ string, _ ...any) error {
		p.onSuccession()
		return each(lostAccount{})
	}
}

func TestWhatTheDatabaseSaidThatWasReplacedIsNotRemembered(t *testing.T) {
	t.Parallel()
	p := &primary{}
	r := registry.New(p, "seq")
	for name, c := range map[string]struct {
		onSuccession func()
		want         bool
	}{
		"a database that stays":        {func() {}, true},
		"a database that was replaced": {r.ForgetAccounts, false},
	} {
		p.onSuccession = c.onSuccession
		for way, ask := range map[string]func() error{
			"AccountID":   func() error { _, err := r.AccountID(t.Context(), "lost"); return err },
			"AccountName": func() error { _, err := r.AccountName(p.Ask(t.Context(), 0), lostID); return err },
		} {
			r.ForgetAccounts()
			if err := ask(); err != nil {
				t.Fatalf("%s of %s: %v", way, name, err)
			}
			if _, got := r.KnownID("lost"); got != c.want {
				t.Errorf("%s of %s: the account is remembered = %v, want %v", way, name, got, c.want)
			}
		}
	}
}
