package storetest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/countersign/countersign/internal/account"
)

// AccountStore is what RunAccounts checks.
type AccountStore = account.Store

// RunAccounts checks the account stores that open returns: each one fresh and
// empty.
func RunAccounts(t *testing.T, open func(testing.TB) AccountStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, AccountStore)
	}{
		{"an account is read as it was created", accountRoundTrip},
		{"an account without a time of creation gets the store's", accountCreatedNow},
		{"an absent account is ErrNotFound", absentAccount},
		{"of many creating one name one wins", accountNameRace},
		{"accounts are listed oldest first, whatever their names and times", accountOrder},
		{"suspending and enabling take effect and can be repeated", suspendAccount},
		{"settings are merged and an empty value removes one", mergeSettings},
		{"settings of one account leave the others' alone", foreignSettings},
		{"bootstrap makes one account and key, once", bootstrapOnce},
		{"of many bootstrapping at once one does", bootstrapRace},
		{"bootstrap does nothing where there is an account without keys", bootstrapBesideAccount},
		{"a key is read as it was created, with its account", keyRoundTrip},
		{"an absent key is ErrNotFound", absentKey},
		{"a key of an absent account is ErrNotFound", keyOfNobody},
		{"ids and texts of keys are unique over all accounts", keyUnique},
		{"of many creating keys of one text one wins", keyRace},
		{"a login may be paired with keys of several accounts, which learn nothing of each other", loginShared},
		{"of many accounts pairing one login at once all get it", loginCrowd},
		{"keys are listed oldest first, by account or all", keyOrder},
		{"a revoked key stays revoked since the first time", revokeKey},
		{"every change raises the access version, and reading does not", accessVersion},
		{"a refused change does not raise the access version", accessVersionKept},
	} {
		t.Run(c.name, func(t *testing.T) { t.Parallel(); c.run(t, open(t)) })
	}
}

var sinceEver = time.Date(2026, 5, 4, 9, 30, 0, 123456000, time.UTC)

// noError ends the test if err is not nil.
func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError reports an error that is not the one wanted.
func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s = %v; want %v", what, err, want)
	}
}

// wantSame reports a difference. Lists and maps without elements are the same as
// none.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// crowd calls f from crowdSize goroutines at once and counts the calls without
// an error; any other error than lost fails the test.
func crowd(t *testing.T, lost error, f func(i int) error) int {
	t.Helper()
	errs := make([]error, crowdSize)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range crowdSize {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, lost):
			t.Errorf("caller %d: %v; want nil or %v", i, err, lost)
		}
	}
	return won
}

const crowdSize = 16

func newAccount(name string) account.Account {
	return account.Account{Name: name, Created: sinceEver}
}

func accountRoundTrip(t *testing.T, s AccountStore) {
	want := account.Account{Name: "acme", Created: sinceEver, Settings: map[string]string{"sender": "ACME 1", "octopush.text": "Ümläut \"{code}\"\n"}}
	noError(t, s.CreateAccount(t.Context(), want))
	got, err := s.Account(t.Context(), "acme")
	noError(t, err)
	wantSame(t, "account", got, want)

	suspended := account.Account{Name: "late", Created: sinceEver, Suspended: true}
	noError(t, s.CreateAccount(t.Context(), suspended))
	got, err = s.Account(t.Context(), "late")
	noError(t, err)
	wantSame(t, "suspended account", got, suspended)
}

func accountCreatedNow(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), account.Account{Name: "acme"}))
	noError(t, s.CreateKey(t.Context(), account.Key{ID: "k", Account: "acme", Hash: [32]byte{1}}))
	a, err := s.Account(t.Context(), "acme")
	noError(t, err)
	k, _, err := s.KeyByID(t.Context(), "k")
	noError(t, err)
	for what, at := range map[string]time.Time{"account": a.Created, "key": k.Created} {
		if age := time.Since(at); age < -time.Minute || age > time.Minute {
			t.Errorf("%s was created %v ago; want about now", what, age)
		}
	}
}

func absentAccount(t *testing.T, s AccountStore) {
	ctx := t.Context()
	_, err := s.Account(ctx, "nobody")
	wantError(t, "Account", err, account.ErrNotFound)
	wantError(t, "SetSuspended", s.SetSuspended(ctx, "nobody", true), account.ErrNotFound)
	wantError(t, "SetSettings", s.SetSettings(ctx, "nobody", map[string]string{"sender": "A"}), account.ErrNotFound)
	all, err := s.Accounts(ctx)
	noError(t, err)
	wantSame(t, "accounts", all, []account.Account{})
}

func accountNameRace(t *testing.T, s AccountStore) {
	won := crowd(t, account.ErrNameTaken, func(int) error { return s.CreateAccount(t.Context(), newAccount("acme")) })
	if won != 1 {
		t.Errorf("%d callers created the account; want 1", won)
	}
	all, err := s.Accounts(t.Context())
	noError(t, err)
	wantSame(t, "accounts", all, []account.Account{newAccount("acme")})
}

func accountOrder(t *testing.T, s AccountStore) {
	var want []account.Account
	for _, name := range []string{"m", "z", "a", "0", "b"} {
		want = append(want, newAccount(name))
		noError(t, s.CreateAccount(t.Context(), newAccount(name)))
	}
	want = append(want, account.Account{Name: "older", Created: sinceEver.Add(-time.Hour)})
	noError(t, s.CreateAccount(t.Context(), want[len(want)-1]))
	got, err := s.Accounts(t.Context())
	noError(t, err)
	wantSame(t, "accounts", got, want)
}

func suspendAccount(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateAccount(t.Context(), newAccount("other")))
	for _, suspended := range []bool{true, true, false, false, true} {
		noError(t, s.SetSuspended(t.Context(), "acme", suspended))
		a, err := s.Account(t.Context(), "acme")
		noError(t, err)
		if a.Suspended != suspended {
			t.Errorf("Suspended = %v after SetSuspended(%v)", a.Suspended, suspended)
		}
	}
	other, err := s.Account(t.Context(), "other")
	noError(t, err)
	wantSame(t, "the other account", other, newAccount("other"))
}

func mergeSettings(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	for _, step := range []struct{ set, want map[string]string }{
		{map[string]string{"sender": "A", "caller": "B"}, map[string]string{"sender": "A", "caller": "B"}},
		{map[string]string{"sender": "C", "country": "GB"}, map[string]string{"sender": "C", "caller": "B", "country": "GB"}},
		{map[string]string{"caller": "", "timezone": ""}, map[string]string{"sender": "C", "country": "GB"}},
		{nil, map[string]string{"sender": "C", "country": "GB"}},
	} {
		noError(t, s.SetSettings(t.Context(), "acme", step.set))
		a, err := s.Account(t.Context(), "acme")
		noError(t, err)
		wantSame(t, fmt.Sprintf("settings after %v", step.set), a.Settings, step.want)
	}
}

func foreignSettings(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	noError(t, s.CreateAccount(t.Context(), newAccount("other")))
	noError(t, s.SetSettings(t.Context(), "acme", map[string]string{"sender": "A"}))
	other, err := s.Account(t.Context(), "other")
	noError(t, err)
	wantSame(t, "the other account", other, newAccount("other"))
}

func bootstrapOnce(t *testing.T, s AccountStore) {
	key := newKey("first", "", 1)
	created, err := s.Bootstrap(t.Context(), newAccount("default"), key)
	noError(t, err)
	if !created {
		t.Error("Bootstrap of an empty store reported that it did nothing")
	}
	key.Account = "default"
	got, owner, err := s.KeyByHash(t.Context(), key.Hash)
	noError(t, err)
	wantSame(t, "key", got, key)
	wantSame(t, "its account", owner, newAccount("default"))

	created, err = s.Bootstrap(t.Context(), newAccount("again"), newKey("second", "", 2))
	noError(t, err)
	if created {
		t.Error("a second Bootstrap reported that it made an account")
	}
	all, err := s.Accounts(t.Context())
	noError(t, err)
	wantSame(t, "accounts", all, []account.Account{newAccount("default")})
	keys, err := s.Keys(t.Context(), "")
	noError(t, err)
	wantSame(t, "keys", keys, []account.Key{key})
}

func bootstrapRace(t *testing.T, s AccountStore) {
	did := make([]bool, crowdSize)
	crowd(t, nil, func(i int) (err error) {
		did[i], err = s.Bootstrap(t.Context(), newAccount("default"), newKey(fmt.Sprint("k", i), "", byte(i)))
		return err
	})
	winners := map[int]bool{}
	for i, d := range did {
		if d {
			winners[i] = true
		}
	}
	if len(winners) != 1 {
		t.Fatalf("callers %v bootstrapped; want one", winners)
	}
	keys, err := s.Keys(t.Context(), "default")
	noError(t, err)
	for winner := range maps.Keys(winners) {
		wantSame(t, "keys", keys, []account.Key{newKey(fmt.Sprint("k", winner), "default", byte(winner))})
	}
}

func bootstrapBesideAccount(t *testing.T, s AccountStore) {
	noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
	created, err := s.Bootstrap(t.Context(), newAccount("default"), newKey("k", "default", 1))
	noError(t, err)
	if created {
		t.Error("Bootstrap made an account beside another")
	}
	keys, err := s.Keys(t.Context(), "")
	noError(t, err)
	wantSame(t, "keys", keys, []account.Key{})
}
