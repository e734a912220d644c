package catalog_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/testdb"
)

// counting is a store that counts how often sources are read.
type counting struct {
	catalog.Store
	found  atomic.Int64
	broken atomic.Pointer[error]
}

func (c *counting) FindSources(ctx context.Context, account, profile, priority string) (catalog.Sources, error) {
	c.found.Add(1)
	if err := c.broken.Load(); err != nil {
		return catalog.Sources{}, *err
	}
	return c.Store.FindSources(ctx, account, profile, priority)
}

// clock is a time that tests move.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c *clock) pass(d time.Duration) { c.offset.Add(int64(d)) }

type fixture struct {
	*catalog.Service
	store *counting
	clock *clock
	keys  *secret.Keyring
}

// newFixture is a service over a real database with the accounts acme and
// other.
func newFixture(t *testing.T) fixture {
	t.Helper()
	s := testdb.Open(t, nil, nil)
	for _, name := range []string{"acme", "other"} {
		noError(t, s.CreateAccount(t.Context(), account.Account{Name: name}))
	}
	root, err := secret.NewRoot(rand.Reader)
	noError(t, err)
	keys, err := secret.NewKeyring(root)
	noError(t, err)
	f := fixture{store: &counting{Store: s}, clock: &clock{}, keys: keys}
	f.Service = catalog.New(catalog.Config{Store: f.store, Keys: keys, Random: rand.Reader, Now: f.clock.now})
	return f
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestIDsAreRandomUUIDsInLowerCase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	seen := map[string]bool{}
	for range 100 {
		id, err := f.NewID()
		if err != nil || !uuidForm.MatchString(id) || seen[id] {
			t.Fatalf("NewID = %q, %v; want a new version 4 UUID in lower case", id, err)
		}
		seen[id] = true
	}
}

func (f fixture) add(t *testing.T, account string) (catalog.Profile, catalog.Priority, catalog.Template) {
	t.Helper()
	n := catalog.Template{ID: "t", Channel: message.SMS, Name: "sms", Language: "en", Message: "{{otp_code}}", Minutes: 3}
	p := catalog.Profile{ID: "p", Name: "login", Attempts: 3, CodeLength: 6, Links: []catalog.Link{{message.SMS, "sms", "en"}}}
	r := catalog.Priority{ID: "r", Name: "sms-only", Channels: []catalog.Rank{{message.SMS, 1}}}
	noError(t, f.CreateTemplate(t.Context(), account, n))
	noError(t, f.CreateProfile(t.Context(), account, p))
	noError(t, f.CreatePriority(t.Context(), account, r))
	return p, r, n
}

func TestSourcesAreReadOnceUntilTheCatalogChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p, r, n := f.add(t, "acme")
	want := catalog.Sources{Profile: &p, Priority: &r, Templates: []catalog.Template{n}}
	check := func(reads int64) {
		t.Helper()
		for range 5 {
			got, err := f.Sources(t.Context(), "acme", "login", "sms-only")
			noError(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("sources (-want +got):\n%s", diff)
			}
		}
		if got := f.store.found.Load(); got != reads {
			t.Errorf("sources were read %d times; want %d", got, reads)
		}
	}
	check(1)

	n.Message = "new {{otp_code}}"
	noError(t, f.UpdateTemplate(t.Context(), "acme", "t", func(was catalog.Template) (catalog.Template, error) {
		was.Message = n.Message
		return was, nil
	}))
	want.Templates = []catalog.Template{n}
	check(2)

	noError(t, f.DeleteTemplate(t.Context(), "acme", "t", message.SMS))
	want.Templates = nil
	check(3)

	// Changes of another account and refused ones are none.
	f.add(t, "other")
	if err := f.CreateProfile(t.Context(), "acme", p); !errors.Is(err, catalog.ErrNameTaken) {
		t.Fatalf("CreateProfile = %v; want ErrNameTaken", err)
	}
	check(3)

	noError(t, f.SetWhatsAppAccount(t.Context(), "acme", "w"))
	want.WhatsAppAccount = "w"
	check(4)
}

func TestSourcesOfOneAccountAreNotAnothers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add(t, "acme")
	if _, err := f.Sources(t.Context(), "acme", "login", "sms-only"); err != nil {
		t.Fatal(err)
	}
	got, err := f.Sources(t.Context(), "other", "login", "sms-only")
	noError(t, err)
	if got.Profile != nil || got.Priority != nil || got.Templates != nil {
		t.Errorf("sources of an account without entries: %+v; want none", got)
	}
}

func TestNamesOfNothingAreNotRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add(t, "acme")
	for _, names := range [][2]string{{"login", "none"}, {"none", "sms-only"}, {"none", "none"}} {
		before := f.store.found.Load()
		for range 3 {
			got, err := f.Sources(t.Context(), "acme", names[0], names[1])
			noError(t, err)
			if (got.Profile != nil) != (names[0] == "login") || (got.Priority != nil) != (names[1] == "sms-only") {
				t.Errorf("sources of %v: %+v", names, got)
			}
		}
		if reads := f.store.found.Load() - before; reads != 3 {
			t.Errorf("sources of %v were read %d times in 3 calls; want 3", names, reads)
		}
	}
}

func TestAFailureToReadSourcesIsNotRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.add(t, "acme")
	broken := errors.New("disk on fire")
	f.store.broken.Store(&broken)
	if _, err := f.Sources(t.Context(), "acme", "login", "sms-only"); !errors.Is(err, broken) {
		t.Fatalf("Sources = %v; want %v", err, broken)
	}
	f.store.broken.Store(nil)
	got, err := f.Sources(t.Context(), "acme", "login", "sms-only")
	if err != nil || got.Profile == nil {
		t.Errorf("Sources once the store works again = %+v, %v", got, err)
	}
	if _, err := f.Sources(t.Context(), "nobody", "login", "sms-only"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("Sources of an absent account = %v; want ErrNotFound", err)
	}
}

func BenchmarkSourcesRemembered(b *testing.B) {
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "countersign.db"), Migrate: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	ctx := b.Context()
	err = errors.Join(
		s.CreateAccount(ctx, account.Account{Name: "acme"}),
		s.CreateProfile(ctx, "acme", catalog.Profile{ID: "p", Name: "login"}),
		s.CreatePriority(ctx, "acme", catalog.Priority{ID: "r", Name: strings.Repeat("r", 20)}),
	)
	if err != nil {
		b.Fatal(err)
	}
	f := catalog.New(catalog.Config{Store: s, Random: rand.Reader, Now: time.Now})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Sources(ctx, "acme", "login", "rrrrrrrrrrrrrrrrrrrr"); err != nil {
			b.Fatal(err)
		}
	}
}
