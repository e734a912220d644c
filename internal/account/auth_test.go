package account_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
)

// directory is keys in memory that counts look-ups.
type directory struct {
	mu       sync.Mutex // guards what follows
	accounts map[string]account.Account
	keys     map[string]account.Key
	version  int64
	lookUps  int
	broken   error
}

func newDirectory() *directory {
	return &directory{accounts: map[string]account.Account{"acme": {Name: "acme"}}, keys: map[string]account.Key{}}
}

func (d *directory) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version++
	f()
}

func (d *directory) add(k account.Key) { d.change(func() { d.keys[k.ID] = k }) }

func (d *directory) find(match func(account.Key) bool) (account.Key, account.Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookUps++
	if d.broken != nil {
		return account.Key{}, account.Account{}, d.broken
	}
	for _, k := range d.keys {
		if match(k) {
			return k, d.accounts[k.Account], nil
		}
	}
	return account.Key{}, account.Account{}, account.ErrNotFound
}

func (d *directory) KeyByHash(_ context.Context, hash [32]byte) (account.Key, account.Account, error) {
	return d.find(func(k account.Key) bool { return k.Hash == hash })
}

func (d *directory) KeyByID(_ context.Context, id string) (account.Key, account.Account, error) {
	return d.find(func(k account.Key) bool { return k.ID == id })
}

func (d *directory) AccessVersion(context.Context) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.version, d.broken
}

func (d *directory) looked() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookUps
}

const chosenText = "chosen-by-the-operator"

// acme has a made key and a chosen one, paired with a login.
func acme(t *testing.T) (d *directory, made string, madeKey, chosen account.Key) {
	t.Helper()
	d = newDirectory()
	secret, madeKey := makeKey(t, account.Key{Account: "acme"})
	chosen, err := account.ChosenKey(rand.Reader, chosenText, account.Key{Account: "acme", Login: "Ops@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	d.add(madeKey)
	d.add(chosen)
	return d, secret.Reveal(), madeKey, chosen
}

func TestKeysTellWhoCalls(t *testing.T) {
	t.Parallel()
	d, made, madeKey, chosen := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	for text, want := range map[string]account.Key{made: madeKey, chosenText: chosen} {
		for range 2 { // looked up, then remembered
			got, err := a.Authenticate(t.Context(), text)
			if err != nil || got.Key.ID != want.ID || got.Account.Name != "acme" {
				t.Errorf("Authenticate = %v of %v, %v; want %v of acme", got.Key.ID, got.Account.Name, err, want.ID)
			}
		}
	}
}

func TestKeysThatAreNoneAreUnknown(t *testing.T) {
	t.Parallel()
	d, made, madeKey, _ := acme(t)
	stranger, _ := makeKey(t, account.Key{})
	// A made key whose id is known and whose text is another's.
	forged := madeKey
	secret, other := makeKey(t, account.Key{Account: "acme"})
	forged.ID = other.ID
	d.add(forged)
	a := account.NewAuthenticator(d, time.Now)
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty":                         {"", account.ErrNoKey},
		"of another form":               {"no-such-key-anywhere", account.ErrUnknownKey},
		"made elsewhere":                {stranger.Reveal(), account.ErrUnknownKey},
		"another text with a known id":  {secret.Reveal(), account.ErrUnknownKey},
		"with a blank after it":         {made + " ", account.ErrUnknownKey},
		"in another letter case":        {strings.ToUpper(chosenText), account.ErrUnknownKey},
		"longer than any key can be":    {strings.Repeat("x", 1<<20), account.ErrUnknownKey},
		"the id of a key alone":         {madeKey.ID, account.ErrUnknownKey},
		"the hash of a key, as it were": {string(madeKey.Hash[:]), account.ErrUnknownKey},
	} {
		got, err := a.Authenticate(t.Context(), c.text)
		if !errors.Is(err, c.want) || got.Key.ID != "" {
			t.Errorf("a key %s: %v, %v; want %v", name, got.Key.ID, err, c.want)
		}
	}
}

func TestALoginIsComparedWithoutLetterCase(t *testing.T) {
	t.Parallel()
	d, made, _, chosen := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	for _, login := range []string{"Ops@example.com", "ops@example.com", "OPS@EXAMPLE.COM"} {
		got, err := a.AuthenticateLogin(t.Context(), login, chosenText)
		if err != nil || got.Key.ID != chosen.ID {
			t.Errorf("login %q: %v, %v; want %v", login, got.Key.ID, err, chosen.ID)
		}
	}
	for name, c := range map[string]struct {
		login, text string
		want        error
	}{
		"no login":                       {"", chosenText, account.ErrNoKey},
		"no key":                         {"ops@example.com", "", account.ErrNoKey},
		"unknown login":                  {"who@example.com", chosenText, account.ErrUnknownKey},
		"login with a blank":             {"ops@example.com ", chosenText, account.ErrUnknownKey},
		"a key that is paired with none": {"ops@example.com", made, account.ErrUnknownKey},
		"unknown key":                    {"ops@example.com", "no-such-key-anywhere", account.ErrUnknownKey},
	} {
		if _, err := a.AuthenticateLogin(t.Context(), c.login, c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
}

func TestAWrongLoginTellsNothingAboutTheKey(t *testing.T) {
	t.Parallel()
	d, _, _, chosen := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	d.change(func() { d.accounts["acme"] = account.Account{Name: "acme", Suspended: true} })
	if _, err := a.AuthenticateLogin(t.Context(), "who", chosenText); !errors.Is(err, account.ErrUnknownKey) {
		t.Errorf("wrong login of a suspended account: %v; want ErrUnknownKey", err)
	}
	chosen.Revoked = time.Now()
	d.add(chosen)
	if _, err := a.AuthenticateLogin(t.Context(), "who", chosenText); !errors.Is(err, account.ErrUnknownKey) {
		t.Errorf("wrong login of a revoked key: %v; want ErrUnknownKey", err)
	}
}

func TestARevokedKeyStopsAtOnce(t *testing.T) {
	t.Parallel()
	d, _, _, chosen := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	if _, err := a.Authenticate(t.Context(), chosenText); err != nil {
		t.Fatal(err)
	}
	chosen.Revoked = time.Now()
	d.add(chosen)
	if _, err := a.Authenticate(t.Context(), chosenText); !errors.Is(err, account.ErrKeyDisabled) {
		t.Errorf("revoked key: %v; want ErrKeyDisabled", err)
	}
	if _, err := a.AuthenticateLogin(t.Context(), "ops@example.com", chosenText); !errors.Is(err, account.ErrKeyDisabled) {
		t.Errorf("revoked key with its login: %v; want ErrKeyDisabled", err)
	}
}

func TestAKeyEndsAtItsExpiryThoughItIsRemembered(t *testing.T) {
	t.Parallel()
	d, _, _, chosen := acme(t)
	end := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	chosen.Expires = end
	d.add(chosen)
	now := end.Add(-1)
	a := account.NewAuthenticator(d, func() time.Time { return now })
	if _, err := a.Authenticate(t.Context(), chosenText); err != nil {
		t.Errorf("just before the end: %v; want nil", err)
	}
	now = end
	if _, err := a.Authenticate(t.Context(), chosenText); !errors.Is(err, account.ErrKeyDisabled) {
		t.Errorf("at the end: %v; want ErrKeyDisabled", err)
	}
}

func TestASuspendedAccountIsToldApartUnlessTheKeyIsDisabled(t *testing.T) {
	t.Parallel()
	d, _, _, chosen := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	if _, err := a.Authenticate(t.Context(), chosenText); err != nil {
		t.Fatal(err)
	}
	d.change(func() { d.accounts["acme"] = account.Account{Name: "acme", Suspended: true} })
	if _, err := a.Authenticate(t.Context(), chosenText); !errors.Is(err, account.ErrSuspended) {
		t.Errorf("suspended account: %v; want ErrSuspended", err)
	}
	chosen.Revoked = time.Now()
	d.add(chosen)
	if _, err := a.Authenticate(t.Context(), chosenText); !errors.Is(err, account.ErrKeyDisabled) {
		t.Errorf("revoked key of a suspended account: %v; want ErrKeyDisabled", err)
	}
}

func TestAKnownKeyIsLookedUpOncePerVersion(t *testing.T) {
	t.Parallel()
	d, made, _, _ := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	for range 10 {
		for _, text := range []string{made, chosenText} {
			if _, err := a.Authenticate(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := d.looked(); n != 2 {
		t.Errorf("20 calls of 2 keys looked up %d times; want 2", n)
	}
	d.change(func() {})
	for range 10 {
		if _, err := a.Authenticate(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.looked(); n != 3 {
		t.Errorf("after a change, 10 more calls raised the look-ups to %d; want 3", n)
	}
}

func TestAKeyThatWasUnknownWorksOnceItExists(t *testing.T) {
	t.Parallel()
	d, _, _, _ := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	secret, key := makeKey(t, account.Key{Account: "acme"})
	if _, err := a.Authenticate(t.Context(), secret.Reveal()); !errors.Is(err, account.ErrUnknownKey) {
		t.Fatalf("before: %v; want ErrUnknownKey", err)
	}
	d.add(key)
	if _, err := a.Authenticate(t.Context(), secret.Reveal()); err != nil {
		t.Errorf("after: %v; want nil", err)
	}
}

func TestAFailureOfTheStoreIsNoVerdict(t *testing.T) {
	t.Parallel()
	d, _, _, _ := acme(t)
	d.broken = errors.New("disk on fire")
	a := account.NewAuthenticator(d, time.Now)
	_, err := a.Authenticate(t.Context(), chosenText)
	if !errors.Is(err, d.broken) || errors.Is(err, account.ErrUnknownKey) {
		t.Errorf("Authenticate = %v; want the store's error", err)
	}
}

func TestManyCallersAuthenticateWhileKeysChange(t *testing.T) {
	t.Parallel()
	d, made, _, _ := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if _, err := a.Authenticate(t.Context(), made); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		d.change(func() {})
	}
	wg.Wait()
}

func BenchmarkAuthenticateAKnownKey(b *testing.B) {
	d := newDirectory()
	secret, key, err := account.NewKey(rand.Reader, account.Key{Account: "acme"})
	if err != nil {
		b.Fatal(err)
	}
	d.add(key)
	a := account.NewAuthenticator(d, time.Now)
	text := secret.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}
