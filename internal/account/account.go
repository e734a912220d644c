// Package account holds tenants and the API keys that authenticate them.
// Everything else in a deployment belongs to exactly one account.
package account

import (
	"context"
	"errors"
	"regexp"
	"time"
)

// Account is a tenant. Its name identifies it everywhere and never changes.
type Account struct {
	Name      string
	Created   time.Time
	Suspended bool
	// Settings are the operator's choices for the account, by the names that
	// Settings lists; absent ones have their defaults.
	Settings map[string]string
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// ValidName reports whether name can name an account: [a-z0-9][a-z0-9_-]{0,62}.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Key is an API key as it is kept: the secret itself is not in it (K-01).
type Key struct {
	ID       string // what the operator names it by; part of a made key's text
	Account  string
	Name     string // the operator's note
	Login    string // paired with the key where an API wants a login; "" for none
	Throttle bool   // 100 calls in 60 s
	Hash     [32]byte
	Created  time.Time
	Expires  time.Time // zero: never
	Revoked  time.Time // zero: not
}

// Usable reports whether the key is neither revoked nor expired at now.
func (k Key) Usable(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// Sentinels that stores return.
var (
	// ErrNotFound: there is no such account, or no such key.
	ErrNotFound = errors.New("not found")
	// ErrNameTaken: there is an account of that name.
	ErrNameTaken = errors.New("account name taken")
	// ErrKeyTaken: there is a key of that id or text.
	ErrKeyTaken = errors.New("key taken")
)

// Store is what accounts and keys need of a database. Every method is one
// transaction, durable when it returns without an error. A zero Created is the
// time of the store. Lists are oldest first.
type Store interface {
	// CreateAccount adds an account; ErrNameTaken if there is one.
	CreateAccount(ctx context.Context, a Account) error
	// Account returns an account; ErrNotFound if there is none.
	Account(ctx context.Context, name string) (Account, error)
	// Accounts lists every account.
	Accounts(ctx context.Context) ([]Account, error)
	// SetSuspended suspends or enables an account; ErrNotFound if there is none.
	SetSuspended(ctx context.Context, name string, suspended bool) error
	// SetSettings merges settings into the account's; an empty value removes
	// one, so that its default holds again. It raises the access version and
	// the account's catalog version.
	SetSettings(ctx context.Context, name string, settings map[string]string) error

	// Bootstrap creates a with its first key if, and only if, there is no
	// account at all, and reports whether it did. Of several nodes at once one
	// does.
	Bootstrap(ctx context.Context, a Account, k Key) (bool, error)

	// CreateKey adds a key; ErrKeyTaken, or ErrNotFound if there is no such
	// account. A login may be paired with several keys, of several accounts too.
	CreateKey(ctx context.Context, k Key) error
	// Keys lists an account's keys, revoked ones too; "" for every account's.
	Keys(ctx context.Context, account string) ([]Key, error)
	// KeyByHash returns the key with its account; ErrNotFound if there is none.
	KeyByHash(ctx context.Context, hash [32]byte) (Key, Account, error)
	// KeyByID is KeyByHash by the id in a made key's text.
	KeyByID(ctx context.Context, id string) (Key, Account, error)
	// RevokeKey revokes a key now; ErrNotFound if there is none. Repeating it
	// changes nothing.
	RevokeKey(ctx context.Context, id string) error

	// AccessVersion is a number that every change of an account or key raises,
	// whichever process made it, within a second. It is cheap: asked at every
	// request.
	AccessVersion(ctx context.Context) (int64, error)
}
