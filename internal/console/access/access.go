// Package access decides who may use the console: its users, the links that
// invite them, and their sessions. A user belongs to one account
// and is an owner, who changes things, or support, who reads with numbers
// masked. There is no user at first: a one-time link makes the first one.
//
// While a deployment carries nothing but sandbox messages and listens on
// loopback only, it is local: a link alone signs in, without password. Such a
// session is worth nothing any more as soon as the deployment is not local.
package access

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// Role is what a user may do.
type Role string

// The roles.
const (
	Owner   Role = "owner"   // reads everything and changes it
	Support Role = "support" // reads, with numbers masked
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,62}$`)

// ValidName reports whether name can name a user: 1 to 63 of a-z, 0-9 and
// . _ @ + -, the first one a letter or digit.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// User is somebody who signs in with a password.
type User struct {
	ID       string // a random text
	Name     string // unique in the deployment
	Account  string
	Role     Role
	Password string // as Passwords.Hash made it
	TOTP     []byte // sealed
	Created  time.Time
}

// Invite is a one-time link.
type Invite struct {
	Hash    [32]byte // of the token
	Account string
	Role    Role
	Created time.Time
	Expires time.Time
}

// Session is somebody at a browser.
type Session struct {
	Hash    [32]byte // of the token
	UserID  string   // "" for a local session
	Name    string   // the user's, LocalName for a local session
	Account string
	Role    Role
	Created time.Time
	Seen    time.Time // when it was last used, at most a minute too early
	Proved  time.Time // when the password was last given; zero for a local session
}

// Local reports whether the session was opened by a link alone.
func (s Session) Local() bool { return s.UserID == "" }

// LocalName is what the user of a local session is called.
const LocalName = "local"

// Sentinels that stores return.
var (
	// ErrNotFound: no such user, session or invite, or it is over.
	ErrNotFound = errors.New("not found")
	// ErrNameTaken: a user of the deployment has this name.
	ErrNameTaken = errors.New("user name taken")
	// ErrUsedCode: the one-time code was used before.
	ErrUsedCode = errors.New("one-time code used before")
	// ErrNoAccount: there is no account of this name.
	ErrNoAccount = errors.New("no such account")
)

// LockedError is what a store returns for a user that failed too often.
type LockedError struct{ Until time.Time }

func (e *LockedError) Error() string { return "locked after too many failures" }

// Lifetimes are how long sessions last.
type Lifetimes struct {
	Idle     time.Duration // without use
	Absolute time.Duration
}

// Store is what access needs of a database. Every method is one transaction,
// durable when it returns without an error. The store's clock tells the time;
// a session or invite whose time is over is not there.
type Store interface {
	// PutInvite adds an invite, its times by life; ErrNoAccount. Invites and
	// sessions whose time is over are removed on the way.
	PutInvite(ctx context.Context, i Invite, life time.Duration) error
	// Invite returns an invite; ErrNotFound.
	Invite(ctx context.Context, hash [32]byte) (Invite, error)
	// Enrol uses an invite up and makes the user of its account and role, and
	// the session s of that user. ErrNotFound if there is no such invite any
	// more, ErrNameTaken.
	Enrol(ctx context.Context, invite [32]byte, u User, s Session) (User, error)
	// Enter uses an invite up and opens a local session of its account and
	// role; ErrNotFound.
	Enter(ctx context.Context, invite [32]byte, s Session) (Session, error)

	// HasUsers reports whether there is a user at all.
	HasUsers(ctx context.Context) (bool, error)
	// User returns a user; ErrNotFound.
	User(ctx context.Context, name string) (User, error)
	// Users lists an account's users, oldest first.
	Users(ctx context.Context, account string) ([]User, error)
	// AllUsers lists the users of all accounts: by account, the oldest first, and
	// in each by age. For operators only: it crosses accounts.
	AllUsers(ctx context.Context) ([]User, error)
	// RemoveUser removes a user of the account with its sessions; ErrNotFound.
	RemoveUser(ctx context.Context, account, id string) error

	// CountTry counts a try to give a password under key, before it is looked
	// at. The allowed-th try, and every allowed-th after it, locks the key for
	// lock: until then CountTry counts nothing and returns a *LockedError. It
	// reports whether this very try locked.
	CountTry(ctx context.Context, key [16]byte, allowed int, lock time.Duration) (locked bool, err error)
	// ForgetTries forgets what CountTry counted under key.
	ForgetTries(ctx context.Context, key [16]byte) error
	// UseStep remembers that the user's one-time code of a time step was used;
	// ErrUsedCode if that one or a later one was before, ErrNotFound.
	UseStep(ctx context.Context, userID string, step int64) error

	// OpenSession adds the session of a user; ErrNotFound if the user is gone.
	OpenSession(ctx context.Context, s Session) error
	// Session returns a session that is not over; ErrNotFound, also if the
	// account is suspended.
	Session(ctx context.Context, hash [32]byte, l Lifetimes) (Session, error)
	// TouchSession sets Seen to now; none is no error.
	TouchSession(ctx context.Context, hash [32]byte) error
	// Prove sets Proved to now; ErrNotFound.
	Prove(ctx context.Context, hash [32]byte) error
	// CloseSession ends a session; none is no error.
	CloseSession(ctx context.Context, hash [32]byte) error
}
