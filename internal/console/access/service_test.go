package access_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

const goodPassword = "correct horse battery"

// bench is a service on a store of its own, whose clock a test turns.
type bench struct {
	*access.Service

	t     *testing.T
	wall  *storetest.Wall
	store *sqlite.Store
	local atomic.Bool
}

func newBench(t *testing.T, change ...func(*access.Config)) *bench {
	t.Helper()
	b := &bench{t: t, wall: &storetest.Wall{}}
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	b.store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: testdb.Blank(t), Wall: b.wall.Now, Log: slog.New(slog.DiscardHandler), Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"acme", "other"} {
		if err := b.store.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	c := access.Config{
		Store: b.store, Keys: keys, Audit: audit.New(b.store, keys), Now: b.store.Now, Wall: b.wall.Now, IsLocal: b.local.Load,
	}
	for _, f := range change {
		f(&c)
	}
	b.Service = access.New(c)
	return b
}

func (b *bench) invite(role access.Role) string {
	b.t.Helper()
	token, err := b.Invite(b.t.Context(), "test", "acme", role, access.InviteLife)
	if err != nil {
		b.t.Fatalf("Invite: %v", err)
	}
	return token
}

// code is what an authenticator app shows now.
func (b *bench) code(secret string) string {
	b.t.Helper()
	code, err := totp.GenerateCode(secret, b.wall.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// enrolled makes the user jo, moves on to the app's next code and returns the
// app's secret and the session's token.
func (b *bench) enrolled(role access.Role) (secret, session string) {
	b.t.Helper()
	token := b.invite(role)
	e := b.NewEnrolment(token)
	session, err := b.Enrol(b.t.Context(), token, e, "jo", goodPassword, b.code(e.Secret))
	if err != nil {
		b.t.Fatalf("Enrol: %v", err)
	}
	b.wall.Add(time.Minute)
	return e.Secret, session
}

// actions are what the audit list holds, oldest first.
func (b *bench) actions() []string {
	b.t.Helper()
	sealed, err := b.store.AuditEntries(b.t.Context(), 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, e := range sealed {
		_, rest, _ := strings.Cut(e.Text, `"action":"`)
		action, _, _ := strings.Cut(rest, `"`)
		all = append(all, action)
	}
	return all
}

func TestALinkAloneSignsInOnceWhileTheDeploymentIsLocal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.local.Store(true)
	token := b.invite(access.Owner)
	session, err := b.Enter(t.Context(), token)
	if err != nil {
		t.Fatalf("Enter: %v", err)
	}
	got, err := b.Session(t.Context(), session)
	if err != nil || !got.Local() || got.Account != "acme" || got.Role != access.Owner || !b.Proved(got) {
		t.Errorf("Session = %+v, %v", got, err)
	}
	if _, err := b.Enter(t.Context(), token); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the link a second time = %v, want ErrNotFound", err)
	}
	b.local.Store(false)
	if _, err := b.Session(t.Context(), session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the session once the deployment is not local = %v, want ErrNotFound", err)
	}
	if _, err := b.Enter(t.Context(), b.invite(access.Owner)); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a link alone where the deployment is not local = %v, want ErrNotFound", err)
	}
}

func TestAUserSignsInWithPasswordAndCode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Support)
	session, err := b.SignIn(t.Context(), " Jo ", goodPassword, b.code(secret))
	if err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	got, err := b.Session(t.Context(), session)
	if err != nil || got.Name != "jo" || got.Role != access.Support || got.Account != "acme" {
		t.Errorf("Session = %+v, %v", got, err)
	}
	want := "console.invite console.enrol console.sign_in"
	if got := strings.Join(b.actions(), " "); got != want {
		t.Errorf("audited %s, want %s", got, want)
	}
}

func TestWhatIsWrongIsNotSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Owner)
	for _, c := range []struct{ what, name, password, code string }{
		{"an unknown name", "mo", goodPassword, b.code(secret)},
		{"a wrong password", "jo", "incorrect horse battery", b.code(secret)},
		{"no password", "jo", "", b.code(secret)},
		{"a password too long to be one", "jo", strings.Repeat("x", 10_000), b.code(secret)},
		{"a wrong code", "jo", goodPassword, "000000"},
		{"no code", "jo", goodPassword, ""},
	} {
		if _, err := b.SignIn(t.Context(), c.name, c.password, c.code); !errors.Is(err, access.ErrWrong) {
			t.Errorf("%s = %v, want ErrWrong", c.what, err)
		}
	}
}

func TestACodeOfTheAppWorksOnceAndOnlyNearItsTime(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Owner)
	code := b.code(secret)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, code); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, code); !errors.Is(err, access.ErrWrong) {
		t.Errorf("the same code again = %v, want ErrWrong", err)
	}
	b.wall.Add(10 * time.Minute)
	code = b.code(secret)
	b.wall.Add(90 * time.Second)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, code); !errors.Is(err, access.ErrWrong) {
		t.Errorf("a code of 90 s ago = %v, want ErrWrong", err)
	}
	code = b.code(secret)
	b.wall.Add(30 * time.Second)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, code[:3]+" "+code[3:]); err != nil {
		t.Errorf("a code of the step before, typed with a blank = %v", err)
	}
}

func TestTenFailuresLockANameForHalfAnHourWhetherAUserHasItOrNot(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Owner)
	for _, name := range []string{"jo", "nobody"} {
		for i := range 10 {
			if _, err := b.SignIn(t.Context(), name, "wrong", "000000"); !errors.Is(err, access.ErrWrong) {
				t.Fatalf("%s, failure %d = %v, want ErrWrong", name, i+1, err)
			}
		}
		_, err := b.SignIn(t.Context(), name, goodPassword, b.code(secret))
		if locked, ok := errors.AsType[*access.LockedError](err); !ok || locked.Until.Sub(b.wall.Now()) != 30*time.Minute {
			t.Errorf("%s after ten failures = %v, want locked for 30 min", name, err)
		}
	}
	if got := strings.Count(strings.Join(b.actions(), " "), "console.lock"); got != 1 {
		t.Errorf("%d locks audited, want the user's", got)
	}
	b.wall.Add(30 * time.Minute)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(secret)); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestManyGuessesAtOnceAreCountedExactly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enrolled(access.Owner)
	var counted, locked atomic.Int32
	var callers sync.WaitGroup
	for range 25 {
		callers.Go(func() {
			_, err := b.SignIn(t.Context(), "jo", "wrong", "000000")
			switch _, isLocked := errors.AsType[*access.LockedError](err); {
			case isLocked:
				locked.Add(1)
			case errors.Is(err, access.ErrWrong), errors.Is(err, access.ErrBusy): // busy: counted, and no turn came
				counted.Add(1)
			default:
				t.Errorf("SignIn = %v", err)
			}
		})
	}
	callers.Wait()
	if counted.Load() != 10 || locked.Load() != 15 {
		t.Errorf("%d guesses were counted and %d refused, want 10 and 15", counted.Load(), locked.Load())
	}
}

func TestASessionEndsIdleAfterThirtyMinutesAndInAnyCaseAfterTwelveHours(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, session := b.enrolled(access.Owner)
	begun := b.wall.Now()
	for b.wall.Now().Sub(begun) < 11*time.Hour+50*time.Minute {
		if _, err := b.Session(t.Context(), session); err != nil {
			t.Fatalf("after %s in use: %v", b.wall.Now().Sub(begun), err)
		}
		b.wall.Add(20 * time.Minute)
	}
	b.wall.Add(10 * time.Minute)
	if _, err := b.Session(t.Context(), session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("after twelve hours = %v, want ErrNotFound", err)
	}
	secret := b.signedInAgain(t)
	if _, err := b.Session(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	for range 3 { // looking does not count as use
		b.wall.Add(10 * time.Minute)
		_, _ = b.Peek(t.Context(), secret)
	}
	if _, err := b.Session(t.Context(), secret); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("after thirty idle minutes = %v, want ErrNotFound", err)
	}
}

// signedInAgain makes another user and returns its session.
func (b *bench) signedInAgain(t *testing.T) string {
	t.Helper()
	token := b.invite(access.Owner)
	e := b.NewEnrolment(token)
	session, err := b.Enrol(t.Context(), token, e, "mo", goodPassword, b.code(e.Secret))
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestThePasswordIsAskedForAgainAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, token := b.enrolled(access.Owner)
	session := func() access.Session {
		t.Helper()
		s, err := b.Session(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if !b.Proved(session()) {
		t.Error("somebody who has just signed in is asked again")
	}
	b.wall.Add(access.ProofLasts)
	if b.Proved(session()) {
		t.Error("nobody is asked again after five minutes")
	}
	if err := b.Prove(t.Context(), session(), "wrong", b.code(secret)); !errors.Is(err, access.ErrWrong) || b.Proved(session()) {
		t.Errorf("Prove with a wrong password = %v", err)
	}
	if err := b.Prove(t.Context(), session(), goodPassword, b.code(secret)); err != nil || !b.Proved(session()) {
		t.Errorf("Prove = %v", err)
	}
}

func TestAStolenSessionIsWorthNothingAfterSignOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, token := b.enrolled(access.Owner)
	s, err := b.Session(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.SignOut(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Session(t.Context(), token); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the session after sign-out = %v, want ErrNotFound", err)
	}
}

func TestBadEnrolmentsChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.invite(access.Owner)
	e := b.NewEnrolment(token)
	for _, c := range []struct {
		what, name, password, code string
		want                       error
	}{
		{"no name", "", goodPassword, b.code(e.Secret), access.ErrName},
		{"a name with blanks", "jo mo", goodPassword, b.code(e.Secret), access.ErrName},
		{"the name of local sessions", access.LocalName, goodPassword, b.code(e.Secret), access.ErrName},
		{"a short password", "jo", "elevenchars", b.code(e.Secret), access.ErrPassword},
		{"one letter repeated", "jo", strings.Repeat("x", 20), b.code(e.Secret), access.ErrPassword},
		{"the name as password", "jo.jo.jo.jo.jo", "Jo.Jo.Jo.Jo.Jo", b.code(e.Secret), access.ErrPassword},
		{"a password that is too long", "jo", strings.Repeat("xy", 200), b.code(e.Secret), access.ErrPassword},
		{"a wrong code", "jo", goodPassword, "000000", access.ErrWrongCode},
	} {
		if _, err := b.Enrol(t.Context(), token, e, c.name, c.password, c.code); !errors.Is(err, c.want) {
			t.Errorf("%s = %v, want %v", c.what, err, c.want)
		}
	}
	if _, err := b.Invited(t.Context(), token); err != nil {
		t.Errorf("the invite afterwards: %v", err)
	}
	if _, err := b.OpenEnrolment(b.invite(access.Owner), e.Sealed); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("an enrolment of another invite = %v, want ErrNotFound", err)
	}
	if got, err := b.OpenEnrolment(token, e.Sealed); err != nil || got != e {
		t.Errorf("OpenEnrolment = %v, %v", got, err)
	}
}

func TestARemovedUserIsOutAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, token := b.enrolled(access.Owner)
	s, err := b.Session(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Remove(t.Context(), "test", "other", s.UserID); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Remove by another account = %v, want ErrNotFound", err)
	}
	if err := b.Remove(t.Context(), "test", "acme", s.UserID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Session(t.Context(), token); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the session of a removed user = %v, want ErrNotFound", err)
	}
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(secret)); !errors.Is(err, access.ErrWrong) {
		t.Errorf("a removed user signs in = %v, want ErrWrong", err)
	}
}

func TestNothingThatSignsInIsKeptInClear(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, session := b.enrolled(access.Owner)
	users, err := b.store.Users(t.Context(), "acme")
	if err != nil || len(users) != 1 {
		t.Fatalf("Users = %v, %v", users, err)
	}
	if kept := users[0].Password; !strings.HasPrefix(kept, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(kept, goodPassword) {
		t.Errorf("the password is kept as %s", kept)
	}
	if strings.Contains(string(users[0].TOTP), secret) {
		t.Error("the app's secret is kept in clear")
	}
	if hash, err := b.Session(t.Context(), session); err != nil || strings.Contains(session, string(hash.Hash[:])) {
		t.Errorf("the session's token is kept: %v", err)
	}
	for _, text := range []string{goodPassword, secret, session} {
		for _, e := range mustEntries(t, b.store) {
			if strings.Contains(e.Text, text) {
				t.Errorf("the audit list holds %q", text)
			}
		}
	}
}

func mustEntries(t *testing.T, s *sqlite.Store) []audit.Sealed {
	t.Helper()
	all, err := s.AuditEntries(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPasswordsAreHashedAFewAtATime(t *testing.T) {
	t.Parallel()
	p := access.NewPasswords()
	kept, err := p.Hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Hash(t.Context(), goodPassword)
	if err != nil || again == kept {
		t.Errorf("two hashes of one password are the same: %v", err)
	}
	for password, want := range map[string]bool{goodPassword: true, goodPassword + " ": false, "": false} {
		if got, err := p.Matches(t.Context(), kept, password); err != nil || got != want {
			t.Errorf("Matches(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
	if got, err := p.Matches(t.Context(), "", "anything"); err != nil || got {
		t.Errorf("Matches of nobody's password = %v, %v; want false", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var busy atomic.Int32
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			if _, err := p.Hash(gone, goodPassword); errors.Is(err, context.Canceled) {
				busy.Add(1)
			}
		})
	}
	callers.Wait()
	if busy.Load() == 0 {
		t.Error("none of eight callers who left had to wait for a turn")
	}
}
