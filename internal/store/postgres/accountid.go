package postgres

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

// accountID returns the number of the account; ErrNoAccount if there is none.
func (s *Store) accountID(ctx context.Context, name string) (int64, error) {
	if id, ok := s.accounts.byName(name); ok {
		return id, nil
	}
	id, ok, err := first(s.pooled(ctx), scanInt, "SELECT id FROM accounts WHERE name = $1", name)
	if err != nil {
		return 0, readError("read account", err)
	}
	if !ok {
		return 0, ErrNoAccount
	}
	s.accounts.remember(name, id)
	return id, nil
}

// accountName is the inverse of accountID.
func (s *Store) accountName(q ask, id int64) (string, error) {
	if name, ok := s.accounts.byID(id); ok {
		return name, nil
	}
	name, ok, err := first(q, scanText, "SELECT name FROM accounts WHERE id = $1", id)
	if err == nil && !ok {
		err = ErrNoAccount
	}
	if err != nil {
		return "", fmt.Errorf("read account %d: %w", id, err)
	}
	s.accounts.remember(name, id)
	return name, nil
}
