package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNoAccount is returned for an account name that names none.
var ErrNoAccount = errors.New("no such account")

// accountIDs maps account names to their numbers and back. Accounts are never
// renamed or removed, so what was read once stays true.
type accountIDs struct {
	mu   sync.RWMutex // guards both maps
	ids  map[string]int64
	name map[int64]string
}

func (a *accountIDs) byName(name string) (int64, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	id, ok := a.ids[name]
	return id, ok
}

func (a *accountIDs) byID(id int64) (string, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	name, ok := a.name[id]
	return name, ok
}

func (a *accountIDs) remember(name string, id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids == nil {
		a.ids, a.name = map[string]int64{}, map[int64]string{}
	}
	a.ids[name], a.name[id] = id, name
}

// AccountID returns the number of the account; ErrNoAccount if there is none.
func (r *Registry) AccountID(ctx context.Context, name string) (int64, error) {
	if id, ok := r.accounts.byName(name); ok {
		return id, nil
	}
	id, ok, err := First(r.db.Ask(ctx, 0), ScanInt, "SELECT id FROM accounts WHERE name = $1", name)
	if err != nil {
		return 0, r.db.ReadError("read account", err)
	}
	if !ok {
		return 0, ErrNoAccount
	}
	r.accounts.remember(name, id)
	return id, nil
}

// KnownID is AccountID for an account that was asked for before; false where it
// was not.
func (r *Registry) KnownID(name string) (int64, bool) { return r.accounts.byName(name) }

// AccountName is the inverse of AccountID.
func (r *Registry) AccountName(q Ask, id int64) (string, error) {
	if name, ok := r.accounts.byID(id); ok {
		return name, nil
	}
	name, ok, err := First(q, ScanText, "SELECT name FROM accounts WHERE id = $1", id)
	if err == nil && !ok {
		err = ErrNoAccount
	}
	if err != nil {
		return "", fmt.Errorf("read account %d: %w", id, err)
	}
	r.accounts.remember(name, id)
	return name, nil
}
