package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
)

// newKey returns a key whose hash is made of n.
func newKey(id, owner string, n byte) account.Key {
	return account.Key{ID: id, Account: owner, Created: sinceEver, Hash: [32]byte{n, 31: n}}
}

func keyRoundTrip(t *testing.T, s AccountStore) {
	owner := newAccount("acme")
	owner.Settings = map[string]string{"sender": "A"}
	noError(t, s.CreateAccount(t.Context(), owner))
	plain := newKey("plain", "acme", 1)
	full := account.Key{
		ID: "full", Account: "acme", Name: "CI – staging", Login: "Ops@Example.com", Throttle: true, Hash: [32]byte{2},
		Created: sinceEver, Expires: sinceEver.Add(time.Hour), Revoked: sinceEver.Add(time.Minute),
	}
	for _, want := range []account.Key{plain, full} {
		noError(t, s.CreateKey(t.Context(), want))
		byID, ownerByID, err := s.KeyByID(t.Context(), want.ID)
		noError(t, err)
		wantSame(t, "KeyByID", byID, want)
		wantSame(t, "KeyByID's account", ownerByID, owner)
		byHash, ownerByHash, err := s.KeyByHash(t.Context(), want.Hash)
		noError(t, err)
		wantSame(t, "KeyByHash", byHash, want)
		wantSame(t, "KeyByHash's account", ownerByHash, owner)
	}
	noError(t, s.SetSuspended(t.Context(), "acme", true))
	_, suspended, err := s.KeyByID(t.Context(), "plain")
	noError(t, err)
	if !suspended.Suspended {
		t.Error("a key's account is not suspended though the account is")
	}
}

func absentKey(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	_, _, err := s.KeyByID(t.Context(), "nothing")
	wantError(t, "KeyByID", err, account.ErrNotFound)
	_, _, err = s.KeyByHash(t.Context(), [32]byte{9})
	wantError(t, "KeyByHash", err, account.ErrNotFound)
	wantError(t, "RevokeKey", s.RevokeKey(t.Context(), "nothing"), account.ErrNotFound)
}

func keyOfNobody(t *testing.T, s AccountStore) {
	wantError(t, "CreateKey", s.CreateKey(t.Context(), newKey("k", "nobody", 1)), account.ErrNotFound)
	_, _, err := s.KeyByID(t.Context(), "k")
	wantError(t, "KeyByID", err, account.ErrNotFound)
}

func keyUnique(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateAccount(t.Context(), newAccount("other")))
	noError(t, s.CreateKey(t.Context(), newKey("k", "acme", 1)))
	wantError(t, "CreateKey with the id of another account's key", s.CreateKey(t.Context(), newKey("k", "other", 2)), account.ErrKeyTaken)
	wantError(t, "CreateKey with the hash of another account's key", s.CreateKey(t.Context(), newKey("l", "other", 1)), account.ErrKeyTaken)
	noError(t, s.RevokeKey(t.Context(), "k"))
	wantError(t, "CreateKey with the hash of a revoked key", s.CreateKey(t.Context(), newKey("l", "acme", 1)), account.ErrKeyTaken)
	got, err := s.Keys(t.Context(), "other")
	noError(t, err)
	wantSame(t, "the other account's keys", got, []account.Key{})
}

func keyRace(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	won := crowd(t, account.ErrKeyTaken, func(i int) error {
		return s.CreateKey(t.Context(), newKey(fmt.Sprint("k", i), "acme", 1))
	})
	if won != 1 {
		t.Errorf("%d callers created the key; want 1", won)
	}
}

func withLogin(k account.Key, login string) account.Key {
	k.Login = login
	return k
}

func loginShared(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateAccount(t.Context(), newAccount("other")))
	for i, c := range []struct{ owner, login string }{
		{"acme", "ops@example.com"},
		{"acme", "ops@example.com"},
		{"acme", "OPS@example.com"},
		{"other", "ops@example.com"},
		{"other", "Ops@Example.COM"},
	} {
		want := withLogin(newKey(fmt.Sprint("k", i), c.owner, byte(i)), c.login)
		noError(t, s.CreateKey(t.Context(), want))
		got, owner, err := s.KeyByHash(t.Context(), want.Hash)
		noError(t, err)
		wantSame(t, "the key", got, want)
		wantSame(t, "the key's account", owner.Name, c.owner)
	}
}

func loginCrowd(t *testing.T, s AccountStore) {
	for i := range crowdSize {
		noError(t, s.CreateAccount(t.Context(), newAccount(fmt.Sprint("a", i))))
	}
	won := crowd(t, account.ErrKeyTaken, func(i int) error {
		return s.CreateKey(t.Context(), withLogin(newKey(fmt.Sprint("k", i), fmt.Sprint("a", i), byte(i)), "ops@example.com"))
	})
	if won != crowdSize {
		t.Errorf("%d of %d accounts got the login; want all", won, crowdSize)
	}
}

func keyOrder(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateAccount(t.Context(), newAccount("other")))
	var all, acme []account.Key
	for i, id := range []string{"m", "z", "a", "0", "b"} {
		k := newKey(id, "acme", byte(i))
		if i == 2 {
			k.Account = "other"
		} else {
			acme = append(acme, k)
		}
		all = append(all, k)
		noError(t, s.CreateKey(t.Context(), k))
	}
	got, err := s.Keys(t.Context(), "")
	noError(t, err)
	wantSame(t, "all keys", got, all)
	got, err = s.Keys(t.Context(), "acme")
	noError(t, err)
	wantSame(t, "one account's keys", got, acme)
	got, err = s.Keys(t.Context(), "nobody")
	noError(t, err)
	wantSame(t, "an absent account's keys", got, []account.Key{})
}

func revokeKey(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateKey(t.Context(), newKey("k", "acme", 1)))
	noError(t, s.CreateKey(t.Context(), newKey("l", "acme", 2)))
	noError(t, s.RevokeKey(t.Context(), "k"))
	once, _, err := s.KeyByID(t.Context(), "k")
	noError(t, err)
	if age := time.Since(once.Revoked); age < -time.Minute || age > time.Minute {
		t.Errorf("key was revoked %v ago; want about now", age)
	}
	noError(t, s.RevokeKey(t.Context(), "k"))
	twice, _, err := s.KeyByID(t.Context(), "k")
	noError(t, err)
	wantSame(t, "the key revoked twice", twice, once)
	other, _, err := s.KeyByID(t.Context(), "l")
	noError(t, err)
	wantSame(t, "the other key", other, newKey("l", "acme", 2))
}

func accessVersion(t *testing.T, s AccountStore) {
	ctx := t.Context()
	last, err := s.AccessVersion(ctx)
	noError(t, err)
	for _, change := range []struct {
		name string
		do   func() error
	}{
		{"CreateAccount", func() error { return s.CreateAccount(ctx, newAccount("acme")) }},
		{"CreateKey", func() error { return s.CreateKey(ctx, newKey("k", "acme", 1)) }},
		{"SetSuspended", func() error { return s.SetSuspended(ctx, "acme", true) }},
		{"SetSettings", func() error { return s.SetSettings(ctx, "acme", map[string]string{"sender": "A"}) }},
		{"RevokeKey", func() error { return s.RevokeKey(ctx, "k") }},
	} {
		noError(t, change.do())
		_, _, err := s.KeyByID(ctx, "k")
		if err != nil && change.name != "CreateAccount" {
			t.Fatal(err)
		}
		now, err := s.AccessVersion(ctx)
		noError(t, err)
		again, err := s.AccessVersion(ctx)
		noError(t, err)
		if now <= last || again != now {
			t.Errorf("access version %d, then %d, then %d after %s; want it raised once", last, now, again, change.name)
		}
		last = now
	}
}

func accessVersionKept(t *testing.T, s AccountStore) {
	ctx := t.Context()
	_, err := s.Bootstrap(ctx, newAccount("acme"), newKey("k", "", 1))
	noError(t, err)
	before, err := s.AccessVersion(ctx)
	noError(t, err)
	wantError(t, "CreateAccount", s.CreateAccount(ctx, newAccount("acme")), account.ErrNameTaken)
	wantError(t, "CreateKey", s.CreateKey(ctx, newKey("k", "acme", 2)), account.ErrKeyTaken)
	if _, err := s.Bootstrap(ctx, newAccount("b"), newKey("l", "", 2)); err != nil {
		t.Fatal(err)
	}
	after, err := s.AccessVersion(ctx)
	noError(t, err)
	if after != before {
		t.Errorf("access version went from %d to %d though nothing changed", before, after)
	}
}
