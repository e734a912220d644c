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
// renamed or removed, so what was read once stays true, but for a failover.
type accountIDs struct {
	mu        sync.RWMutex // guards what follows
	ids       map[string]int64
	name      map[int64]string
	forgotten int // how often all of it was
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

// asks returns what remember is to be given with the answer to a question that is
// asked from now on.
func (a *accountIDs) asks() (since int) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.forgotten
}

// remember does nothing if all was forgotten since: the answer may be that of the
// database that is no more.
func (a *accountIDs) remember(since int, name string, id int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if since != a.forgotten {
		return
	}
	if a.ids == nil {
		a.ids, a.name = map[string]int64{}, map[int64]string{}
	}
	a.ids[name], a.name[id] = id, name
}

func (a *accountIDs) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids, a.name = nil, nil
	a.forgotten++
}

// ForgetAccounts has the numbers of accounts read again; answers that are under
// way are not kept. Call it where the database has become another one, which may
// lack the accounts that were made last: their numbers may be given to others there.
func (r *Registry) ForgetAccounts() { r.accounts.forget() }

// AccountID returns the number of the account; ErrNoAccount if there is none.
func (r *Registry) AccountID(ctx context.Context, name string) (int64, error) {
	if id, ok := r.accounts.byName(name); ok {
		return id, nil
	}
	since := r.accounts.asks()
	id, ok, err := First(r.db.Ask(ctx, 0), ScanInt, "SELECT id FROM accounts WHERE name = $1", name)
	if err != nil {
		return 0, r.db.ReadError("read account", err)
	}
	if !ok {
		return 0, ErrNoAccount
	}
	r.accounts.remember(since, name, id)
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
	since := r.accounts.asks()
	name, ok, err := First(q, ScanText, "SELECT name FROM accounts WHERE id = $1", id)
	if err == nil && !ok {
		err = ErrNoAccount
	}
	if err != nil {
		return "", fmt.Errorf("read account %d: %w", id, err)
	}
	r.accounts.remember(since, name, id)
	return name, nil
}
