package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"
)

// What authentication can end in, besides success and a failure of the store.
var (
	// ErrNoKey: the caller gave no key, or no login where it takes one.
	ErrNoKey = errors.New("no API key")
	// ErrUnknownKey: there is no such key, or it is not paired with the login.
	ErrUnknownKey = errors.New("unknown API key")
	// ErrKeyDisabled: the key is revoked or expired.
	ErrKeyDisabled = errors.New("API key revoked or expired")
	// ErrSuspended: the key is good, its account is suspended.
	ErrSuspended = errors.New("account suspended")
)

// Identity is who calls. It is shared between requests: do not change it, nor
// the settings in it.
type Identity struct {
	Account Account
	Key     Key
}

// Directory is what authentication needs of a database; see Store.
type Directory interface {
	KeyByHash(ctx context.Context, hash [32]byte) (Key, Account, error)
	KeyByID(ctx context.Context, id string) (Key, Account, error)
	AccessVersion(ctx context.Context) (int64, error)
}

// Authenticator tells who calls by API key. Keys that are known are
// remembered until any account or key changes, so that most calls cost a hash
// and a look-up in memory. It is safe for concurrent use.
type Authenticator struct {
	directory Directory
	now       func() time.Time
	known     identities
}

// NewAuthenticator returns an authenticator over the keys of directory. now
// decides whether a key is expired: the store's clock.
func NewAuthenticator(directory Directory, now func() time.Time) *Authenticator {
	return &Authenticator{directory: directory, now: now}
}

// Authenticate returns whose key text is. Errors are ErrNoKey, ErrUnknownKey,
// ErrKeyDisabled and ErrSuspended; every other one is a failure of the store.
func (a *Authenticator) Authenticate(ctx context.Context, text string) (Identity, error) {
	id, err := a.find(ctx, text)
	if err != nil {
		return Identity{}, err
	}
	return a.admit(id)
}

// AuthenticateLogin is Authenticate for callers that give a login with the
// key. A login that no key has and one that only other keys have are
// ErrUnknownKey, as an unknown key is, after the same work: the login is not
// looked up but compared, without letter case.
func (a *Authenticator) AuthenticateLogin(ctx context.Context, login, text string) (Identity, error) {
	if login == "" {
		return Identity{}, ErrNoKey
	}
	id, err := a.find(ctx, text)
	if err != nil {
		return Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(FoldLogin(login)), []byte(FoldLogin(id.Key.Login))) != 1 {
		return Identity{}, ErrUnknownKey
	}
	return a.admit(id)
}

// admit decides whether the key may be used now. That a key is disabled comes
// first: it tells its holder nothing about the account.
func (a *Authenticator) admit(id Identity) (Identity, error) {
	if !id.Key.Usable(a.now()) {
		return Identity{}, ErrKeyDisabled
	}
	if id.Account.Suspended {
		return Identity{}, ErrSuspended
	}
	return id, nil
}

// find returns the key's identity, usable or not.
func (a *Authenticator) find(ctx context.Context, text string) (Identity, error) {
	if text == "" {
		return Identity{}, ErrNoKey
	}
	if len(text) > maxChosen { // longer than any key
		return Identity{}, ErrUnknownKey
	}
	hash := HashKey(text)
	// Read before the key, so that what is remembered is never older than the
	// version it is remembered under.
	version, err := a.directory.AccessVersion(ctx)
	if err != nil {
		return Identity{}, fmt.Errorf("read access version: %w", err)
	}
	if id, ok := a.known.get(version, hash); ok {
		return id, nil
	}
	id, err := a.lookUp(ctx, text, hash)
	if err != nil {
		return Identity{}, err
	}
	a.known.put(version, hash, id)
	return id, nil
}

func (a *Authenticator) lookUp(ctx context.Context, text string, hash [32]byte) (Identity, error) {
	var id Identity
	var err error
	if keyID, made := ParseSecret(text); made {
		id.Key, id.Account, err = a.directory.KeyByID(ctx, keyID)
	} else {
		id.Key, id.Account, err = a.directory.KeyByHash(ctx, hash)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Identity{}, fmt.Errorf("look up key: %w", err)
	}
	same := subtle.ConstantTimeCompare(id.Key.Hash[:], hash[:]) == 1 // also where there is no key
	if err != nil || !same {
		return Identity{}, ErrUnknownKey
	}
	return id, nil
}
