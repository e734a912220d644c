package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/ledger"
)

// The rules of.
const (
	triesAllowed = 10
	lockFor      = 30 * time.Minute
	idleFor      = 30 * time.Minute
	absoluteFor  = 12 * time.Hour
	// touchAfter spares a write at every request: a session may end a minute
	// before its idle time is over, never after.
	touchAfter = time.Minute
	// ProofLasts is how long after giving the password somebody may do what
	// asks for it again.
	ProofLasts  = 5 * time.Minute
	tokenLength = 32 // octets, 256 bits
)

// How long links work.
const (
	// InviteLife is how long an invite that an operator makes works.
	InviteLife = 24 * time.Hour
	// FirstLife is how long the link that a start prints works.
	FirstLife = time.Hour
)

// What a person is told, beside the sentinels of Store.
var (
	// ErrWrong: name, password or one-time code is wrong; which, is not said.
	ErrWrong = errors.New("name, password or one-time code is wrong")
	// ErrWrongCode: the one-time code of the authenticator app is wrong.
	ErrWrongCode = errors.New("one-time code is wrong")
	// ErrName: no user can have this name.
	ErrName = errors.New("no user can have this name")
	// ErrSuspended: everything is right, and the account is suspended.
	ErrSuspended = errors.New("the account is suspended")
	// ErrPassword: the password is too weak.
	ErrPassword = errors.New("the password is too weak")
)

// Keys seal the secrets of authenticator apps and hash names; the keyring does.
type Keys interface {
	Index(parts ...string) [16]byte
	Seal(plain []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Auditor keeps the list of what people did; audit.Log does.
type Auditor interface {
	Append(ctx context.Context, e audit.Entry) error
}

// Config is what a Service is made of. Every field is needed but Random.
type Config struct {
	Store Store
	Keys  Keys
	Audit Auditor
	Now   func() time.Time // the store's clock
	// Wall is this machine's clock, by which authenticator apps make their codes:
	// the store's stays ahead of it once it was set back. Now if nil.
	Wall func() time.Time
	// IsLocal reports whether the deployment is local; see the package. It is
	// asked at every request.
	IsLocal func() bool
	Random  io.Reader // crypto/rand.Reader if nil
}

// Service lets people in. It is safe for concurrent use.
type Service struct {
	cfg       Config
	passwords *Passwords
}

// New returns a service over c.
func New(c Config) *Service {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Wall == nil {
		c.Wall = c.Now
	}
	return &Service{c, NewPasswords()}
}

// newToken draws 256 bits and returns them as text.
func (s *Service) newToken() (string, error) {
	var bits [tokenLength]byte
	if _, err := io.ReadFull(s.cfg.Random, bits[:]); err != nil {
		return "", fmt.Errorf("draw token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(bits[:]), nil
}

// hashToken is how a token is kept and found; tokens have 256 bits, so a plain
// hash is enough.
func hashToken(token string) [32]byte { return sha256.Sum256([]byte("console " + token)) }

// IsLocal reports whether a link alone signs in.
func (s *Service) IsLocal() bool { return s.cfg.IsLocal() }

// HasUsers reports whether anybody can sign in with a password.
func (s *Service) HasUsers(ctx context.Context) (bool, error) {
	has, err := s.cfg.Store.HasUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("look for console users: %w", err)
	}
	return has, nil
}

// Invite makes a one-time token for a new user of the account. actor is who
// asks, for the audit list.
func (s *Service) Invite(ctx context.Context, actor, account string, role Role, life time.Duration) (string, error) {
	token, err := s.newToken()
	if err != nil {
		return "", err
	}
	err = ledger.Do(ledger.WithActor(ctx, actor), s.cfg.Audit, account, audit.ActionConsoleInvite, string(role), func() error {
		return s.cfg.Store.PutInvite(ctx, Invite{Hash: hashToken(token), Account: account, Role: role}, life)
	})
	if err != nil {
		return "", fmt.Errorf("keep invite: %w", err)
	}
	return token, nil
}

func (s *Service) audit(ctx context.Context, action, actor, account, subject string) error {
	err := s.cfg.Audit.Append(ctx, audit.Entry{Action: action, Actor: actor, Account: account, Subject: subject})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// Remove removes a user of the account and ends its sessions; ErrNotFound.
func (s *Service) Remove(ctx context.Context, actor, account, id string) error {
	users, err := s.cfg.Store.Users(ctx, account)
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	if !slices.ContainsFunc(users, func(u User) bool { return u.ID == id }) {
		return ErrNotFound
	}
	if err := s.audit(ctx, audit.ActionConsoleRemove, actor, account, id); err != nil {
		return err
	}
	if err := s.cfg.Store.RemoveUser(ctx, account, id); err != nil {
		return fmt.Errorf("remove user: %w", err)
	}
	return nil
}

// Invited returns the invite of a token; ErrNotFound if it was used or is over.
func (s *Service) Invited(ctx context.Context, token string) (Invite, error) {
	i, err := s.cfg.Store.Invite(ctx, hashToken(strings.TrimSpace(token)))
	if err != nil {
		return Invite{}, fmt.Errorf("look for invite: %w", err)
	}
	return i, nil
}

// Enter signs in with a link alone and returns the session's token. It is
// ErrNotFound for a token that is over, and where the deployment is not local.
func (s *Service) Enter(ctx context.Context, token string) (string, error) {
	if !s.cfg.IsLocal() {
		return "", ErrNotFound
	}
	secret, err := s.newToken()
	if err != nil {
		return "", err
	}
	opened, err := s.cfg.Store.Enter(ctx, hashToken(strings.TrimSpace(token)), Session{Hash: hashToken(secret)})
	if err != nil {
		return "", fmt.Errorf("enter: %w", err)
	}
	return s.begun(ctx, secret, opened)
}

// begun writes down that somebody signed in and returns the session's token: one
// that could not be written down is over. Whose session it is, is known only
// once it is open.
func (s *Service) begun(ctx context.Context, token string, opened Session) (string, error) {
	if err := s.audit(ctx, audit.ActionConsoleSignIn, actorOf(opened), opened.Account, ""); err != nil {
		return "", errors.Join(err, s.SignOut(ctx, opened))
	}
	return token, nil
}

func actorOf(s Session) string { return "console " + s.Name }

// Actor is how the audit list names whoever has the session.
func (s Session) Actor() string { return actorOf(s) }

// SignIn returns the token of a new session. ErrWrong, ErrSuspended,
// *LockedError and ErrBusy are for the person. A name that nobody has costs and
// answers the same.
func (s *Service) SignIn(ctx context.Context, name, password, code string) (string, error) {
	u, err := s.prove(ctx, name, password, code)
	if err != nil {
		return "", err
	}
	secret, err := s.newToken()
	if err != nil {
		return "", err
	}
	now := s.cfg.Now()
	session := Session{Hash: hashToken(secret), UserID: u.ID, Name: u.Name, Account: u.Account, Role: u.Role, Created: now, Seen: now, Proved: now}
	if err := s.cfg.Store.OpenSession(ctx, session); err != nil {
		return "", fmt.Errorf("open session: %w", err)
	}
	// The store shows no session of a suspended account.
	if _, err := s.Peek(ctx, secret); errors.Is(err, ErrNotFound) {
		if err := s.SignOut(ctx, session); err != nil {
			return "", err
		}
		return "", ErrSuspended
	} else if err != nil {
		return "", err
	}
	return s.begun(ctx, secret, session)
}

// prove checks name, password and code. The try is counted before anything is
// compared, so that many at once are counted exactly.
func (s *Service) prove(ctx context.Context, name, password, code string) (User, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	key := s.cfg.Keys.Index("console user", name)
	locked, err := s.cfg.Store.CountTry(ctx, key, triesAllowed, lockFor)
	if err != nil {
		return User{}, fmt.Errorf("count try: %w", err)
	}
	u, err := s.cfg.Store.User(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, fmt.Errorf("read user: %w", err)
	}
	known := err == nil
	matches, err := s.passwords.Matches(ctx, u.Password, password)
	if err != nil {
		return User{}, err
	}
	right := false
	if known && matches {
		if right, err = s.rightCode(ctx, u, code); err != nil {
			return User{}, err
		}
	}
	if !right {
		if locked && known {
			if err := s.audit(ctx, audit.ActionConsoleLock, "console "+u.Name, u.Account, ""); err != nil {
				return User{}, err
			}
		}
		return User{}, ErrWrong
	}
	if err := s.cfg.Store.ForgetTries(ctx, key); err != nil {
		return User{}, fmt.Errorf("forget tries: %w", err)
	}
	return u, nil
}

// rightCode uses a one-time code. An error says that nobody knows whether it is
// right, which is not to be told as a wrong one.
func (s *Service) rightCode(ctx context.Context, u User, code string) (bool, error) {
	secret, err := s.cfg.Keys.Open(u.TOTP, totpContext(u.ID)...)
	if err != nil {
		return false, fmt.Errorf("open authenticator secret: %w", err)
	}
	step, right := totpStep(string(secret), code, s.cfg.Wall())
	if !right {
		return false, nil
	}
	switch err := s.cfg.Store.UseStep(ctx, u.ID, step); {
	case errors.Is(err, ErrUsedCode), errors.Is(err, ErrNotFound): // or removed just now
		return false, nil
	case err != nil:
		return false, fmt.Errorf("use one-time code: %w", err)
	}
	return true, nil
}
