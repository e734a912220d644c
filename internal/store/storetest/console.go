package storetest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/access"
)

// ConsoleStore is what RunConsole checks.
type ConsoleStore interface {
	access.Store
	sandbox.OrderStore
	CreateAccount(ctx context.Context, a account.Account) error
	SetSuspended(ctx context.Context, name string, suspended bool) error
}

// RunConsole checks the stores of the console that open returns: each one fresh
// and empty, and telling the time by wall.
func RunConsole(t *testing.T, open func(t testing.TB, wall func() time.Time) ConsoleStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, *consoleBench)
	}{
		{"an invite makes one user, once", inviteOnce},
		{"of many following one invite one gets in", inviteRace},
		{"an invite is over at its end and not before", inviteEnds},
		{"an invite needs an account", inviteNobody},
		{"an invite opens a local session", inviteEnters},
		{"a name is taken in the whole deployment, and the invite stays good", nameTaken},
		{"users are listed by account, oldest first", usersListed},
		{"a user is removed by its account only, with its sessions", userRemoved},
		{"a user who signs in while being removed is out", userRemovedSigningIn},
		{"a session ends when it was not used for long enough", sessionIdle},
		{"a session ends at its full age however much it was used", sessionAbsolute},
		{"a closed session is gone at once, others stay", sessionClosed},
		{"a suspended account's sessions rest", sessionSuspended},
		{"a password given again is remembered with its time", sessionProved},
		{"the last try allowed locks for as long as asked", triesLock},
		{"parallel tries are counted exactly", triesRace},
		{"a one-time code works once, and none before it afterwards", stepOnce},
		{"of many using one one-time code one succeeds", stepRace},
		{"a sandbox order is replaced, removed and forgotten after a day", ordersKept},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wall := &Wall{}
			b := &consoleBench{open(t, wall.Now), t, wall, 0}
			for _, name := range []string{acme, other} {
				if err := b.s.CreateAccount(t.Context(), account.Account{Name: name, Created: wall.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			c.run(t, b)
		})
	}
}

// consoleBench is one case's store.
type consoleBench struct {
	s    ConsoleStore
	t    *testing.T
	wall *Wall
	last uint16 // of the hashes that were handed out
}

// hash returns one that was not used before.
func (b *consoleBench) hash() [32]byte {
	b.last++
	return [32]byte{byte(b.last), byte(b.last >> 8), 255}
}

func (b *consoleBench) invite(name string, role access.Role) [32]byte {
	b.t.Helper()
	hash := b.hash()
	if err := b.s.PutInvite(b.t.Context(), access.Invite{Hash: hash, Account: name, Role: role}, time.Hour); err != nil {
		b.t.Fatalf("PutInvite: %v", err)
	}
	return hash
}

func someUser(id, name string) access.User {
	return access.User{ID: id, Name: name, Password: "kept " + name, TOTP: []byte{0, 255, 'x'}}
}

// user makes one, and a session of it.
func (b *consoleBench) user(account, id, name string) (access.User, [32]byte) {
	b.t.Helper()
	session := b.hash()
	u, err := b.s.Enrol(b.t.Context(), b.invite(account, access.Owner), someUser(id, name), access.Session{Hash: session})
	if err != nil {
		b.t.Fatalf("Enrol: %v", err)
	}
	return u, session
}

var consoleLives = access.Lifetimes{Idle: 30 * time.Minute, Absolute: 12 * time.Hour}

func (b *consoleBench) session(hash [32]byte) (access.Session, error) {
	return b.s.Session(b.t.Context(), hash, consoleLives)
}

// open reports whether a session is there.
func (b *consoleBench) open(hash [32]byte) bool {
	b.t.Helper()
	_, err := b.session(hash)
	if err != nil && !errors.Is(err, access.ErrNotFound) {
		b.t.Fatalf("Session: %v", err)
	}
	return err == nil
}

func inviteOnce(t *testing.T, b *consoleBench) {
	if has, err := b.s.HasUsers(t.Context()); err != nil || has {
		t.Errorf("HasUsers of an empty store = %v, %v", has, err)
	}
	invite, session := b.invite(acme, access.Support), b.hash()
	want := access.Invite{Hash: invite, Account: acme, Role: access.Support, Created: b.wall.Now(), Expires: b.wall.Now().Add(time.Hour)}
	if got, err := b.s.Invite(t.Context(), invite); err != nil || got != want {
		t.Errorf("Invite = %+v, %v; want %+v", got, err, want)
	}
	b.wall.Add(time.Minute)
	u, err := b.s.Enrol(t.Context(), invite, someUser("u1", "jo"), access.Session{Hash: session})
	if err != nil {
		t.Fatalf("Enrol: %v", err)
	}
	made := someUser("u1", "jo")
	made.Account, made.Role, made.Created = acme, access.Support, b.wall.Now()
	if diff := cmp.Diff(made, u); diff != "" {
		t.Errorf("Enrol (-want +got):\n%s", diff)
	}
	read, err := b.s.User(t.Context(), "jo")
	if diff := cmp.Diff(made, read); err != nil || diff != "" {
		t.Errorf("User: %v (-want +got):\n%s", err, diff)
	}
	opened := access.Session{
		Hash: session, UserID: "u1", Name: "jo", Account: acme, Role: access.Support,
		Created: b.wall.Now(), Seen: b.wall.Now(), Proved: b.wall.Now(),
	}
	if got, err := b.session(session); err != nil || got != opened {
		t.Errorf("Session = %+v, %v; want %+v", got, err, opened)
	}
	if _, err := b.s.Invite(t.Context(), invite); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Invite afterwards: %v, want ErrNotFound", err)
	}
	if _, err := b.s.Enrol(t.Context(), invite, someUser("u2", "mo"), access.Session{Hash: b.hash()}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the second Enrol = %v, want ErrNotFound", err)
	}
	if _, err := b.s.Enter(t.Context(), invite, access.Session{Hash: b.hash()}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Enter afterwards = %v, want ErrNotFound", err)
	}
	if has, err := b.s.HasUsers(t.Context()); err != nil || !has {
		t.Errorf("HasUsers = %v, %v; want one", has, err)
	}
}

func inviteRace(t *testing.T, b *consoleBench) {
	invite := b.invite(acme, access.Owner)
	var won atomic.Int32
	var callers sync.WaitGroup
	for i := range 20 {
		hash, id := b.hash(), strconv.Itoa(i)
		callers.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = b.s.Enter(t.Context(), invite, access.Session{Hash: hash})
			} else {
				_, err = b.s.Enrol(t.Context(), invite, someUser("u"+id, "n"+id), access.Session{Hash: hash})
			}
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, access.ErrNotFound):
				t.Errorf("follow: %v", err)
			}
		})
	}
	callers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d got in, want 1", won.Load())
	}
}

func inviteEnds(t *testing.T, b *consoleBench) {
	first, second := b.invite(acme, access.Owner), b.invite(acme, access.Owner)
	b.wall.Add(time.Hour - time.Microsecond)
	if _, err := b.s.Enter(t.Context(), first, access.Session{Hash: b.hash()}); err != nil {
		t.Errorf("Enter just before the end: %v", err)
	}
	b.wall.Add(time.Microsecond)
	if _, err := b.s.Invite(t.Context(), second); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Invite at the end = %v, want ErrNotFound", err)
	}
	if _, err := b.s.Enter(t.Context(), second, access.Session{Hash: b.hash()}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Enter at the end = %v, want ErrNotFound", err)
	}
}

func inviteNobody(t *testing.T, b *consoleBench) {
	err := b.s.PutInvite(t.Context(), access.Invite{Hash: b.hash(), Account: "nobody", Role: access.Owner}, time.Hour)
	if !errors.Is(err, access.ErrNoAccount) {
		t.Errorf("PutInvite = %v, want ErrNoAccount", err)
	}
	if all, err := b.s.Users(t.Context(), "nobody"); err != nil || len(all) != 0 {
		t.Errorf("Users of nobody = %v, %v; want none", all, err)
	}
}

func inviteEnters(t *testing.T, b *consoleBench) {
	hash := b.hash()
	want := access.Session{Hash: hash, Name: access.LocalName, Account: other, Role: access.Support, Created: b.wall.Now(), Seen: b.wall.Now()}
	got, err := b.s.Enter(t.Context(), b.invite(other, access.Support), access.Session{Hash: hash})
	if err != nil || got != want {
		t.Errorf("Enter = %+v, %v; want %+v", got, err, want)
	}
	if got, err = b.session(hash); err != nil || got != want || !got.Local() {
		t.Errorf("Session = %+v, %v; want %+v", got, err, want)
	}
	if has, err := b.s.HasUsers(t.Context()); err != nil || has {
		t.Errorf("HasUsers = %v, %v; want none: nobody has a password", has, err)
	}
}

func nameTaken(t *testing.T, b *consoleBench) {
	b.user(acme, "u1", "jo")
	invite := b.invite(other, access.Owner)
	if _, err := b.s.Enrol(t.Context(), invite, someUser("u2", "jo"), access.Session{Hash: b.hash()}); !errors.Is(err, access.ErrNameTaken) {
		t.Errorf("Enrol = %v, want ErrNameTaken", err)
	}
	if _, err := b.s.Enrol(t.Context(), invite, someUser("u2", "mo"), access.Session{Hash: b.hash()}); err != nil {
		t.Errorf("Enrol by another name: %v", err)
	}
}

func usersListed(t *testing.T, b *consoleBench) {
	for i, name := range []string{"b", "c", "a"} {
		b.user(acme, "u"+strconv.Itoa(9-i), name)
		b.wall.Add(time.Second)
	}
	b.user(other, "u1", "z")
	all, err := b.s.Users(t.Context(), acme)
	var names []string
	for _, u := range all {
		names = append(names, u.Name)
	}
	if want := []string{"b", "c", "a"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("Users = %v, %v; want %v", names, err, want)
	}
	b.wall.Add(time.Second)
	b.user(acme, "u0", "d")
	all, err = b.s.AllUsers(t.Context())
	names = nil
	for _, u := range all {
		names = append(names, u.Account+" "+u.Name)
	}
	if want := []string{acme + " b", acme + " c", acme + " a", acme + " d", other + " z"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("AllUsers = %v, %v; want %v", names, err, want)
	}
}

func userRemoved(t *testing.T, b *consoleBench) {
	_, first := b.user(acme, "u1", "jo")
	_, second := b.user(acme, "u2", "mo")
	if err := b.s.RemoveUser(t.Context(), other, "u1"); !errors.Is(err, access.ErrNotFound) || !b.open(first) {
		t.Errorf("RemoveUser by another account = %v, want ErrNotFound and nothing done", err)
	}
	if err := b.s.RemoveUser(t.Context(), acme, "u1"); err != nil {
		t.Fatalf("RemoveUser: %v", err)
	}
	if b.open(first) || !b.open(second) {
		t.Error("the removed user's session is there, or the other's is not")
	}
	if _, err := b.s.User(t.Context(), "jo"); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("User = %v, want ErrNotFound", err)
	}
	if err := b.s.OpenSession(t.Context(), access.Session{Hash: b.hash(), UserID: "u1", Account: acme, Role: access.Owner}); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("OpenSession of a removed user = %v, want ErrNotFound", err)
	}
}

// userRemovedSigningIn lets sign-ins commit before, while and after their user is
// removed.
func userRemovedSigningIn(t *testing.T, b *consoleBench) {
	const signIns = 8
	for i := range 25 {
		id := "u" + strconv.Itoa(i)
		u, first := b.user(acme, id, "jo"+id)
		hashes := [][32]byte{first}
		begin := make(chan struct{})
		var callers sync.WaitGroup
		for range signIns {
			hash := b.hash()
			hashes = append(hashes, hash)
			callers.Go(func() {
				<-begin
				s := access.Session{Hash: hash, UserID: u.ID, Account: acme, Role: access.Owner}
				if err := b.s.OpenSession(t.Context(), s); err != nil && !errors.Is(err, access.ErrNotFound) {
					t.Errorf("OpenSession while its user is removed: %v, want ErrNotFound or none", err)
				}
			})
		}
		callers.Go(func() {
			<-begin
			if err := b.s.RemoveUser(t.Context(), acme, u.ID); err != nil {
				t.Errorf("RemoveUser while the user signs in: %v", err)
			}
		})
		close(begin)
		callers.Wait()
		for _, hash := range hashes {
			if b.open(hash) {
				t.Fatal("the removed user has a session")
			}
		}
	}
}
