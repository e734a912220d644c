package catalog

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// Keys seal what is kept for an account; the keyring does.
type Keys interface {
	// Seal encrypts plain for a context that opening must repeat.
	Seal(plain []byte, context ...string) []byte
	// Open is its inverse; an error for another key or context.
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Config is what a Service is made of. Every field is needed.
type Config struct {
	Store  Store
	Keys   Keys
	Random io.Reader        // crypto/rand.Reader in production
	Now    func() time.Time // the store's clock
}

// Service is the catalog: the store's entries, and what needs more than the
// database. It is safe for concurrent use.
type Service struct {
	Store // all but Callbacks, which the service gives in clear

	keys         Keys
	random       io.Reader
	now          func() time.Time
	sources      cache[sourcesKey, Sources]
	approved     *approvals
	applications cache[string, []Application] // by account
}

// New returns a service over c.
func New(c Config) *Service {
	return (&Service{keys: c.Keys, random: c.Random, now: c.Now, approved: &approvals{}}).Over(c.Store)
}

// Over returns a service like s over another store of the same catalog. What
// either knows of WhatsApp the other knows too, and s's Run ends for both.
func (s *Service) Over(store Store) *Service {
	return &Service{
		Store: store, keys: s.keys, random: s.random, now: s.now, approved: s.approved,
		sources: cache[sourcesKey, Sources]{size: Sources.octets},
	}
}

// NewID draws the id of a new entry: a random UUID in lower case.
func (s *Service) NewID() (string, error) {
	id, err := uuid.NewRandomFromReader(s.random)
	if err != nil {
		return "", fmt.Errorf("draw id: %w", err)
	}
	return id.String(), nil
}

type sourcesKey struct{ account, profile, priority string }

// Sources returns what a send by these names needs. It is remembered until the
// account's catalog changes and shared between calls: do not change what it
// points to.
func (s *Service) Sources(ctx context.Context, account, profileName, priorityName string) (Sources, error) {
	// Read before the sources, so that what is remembered is never older than
	// the version it is remembered under.
	version, err := s.CatalogVersion(ctx, account)
	if err != nil {
		return Sources{}, fmt.Errorf("read catalog version: %w", err)
	}
	key := sourcesKey{account, profileName, priorityName}
	if found, ok := s.sources.get(key, version); ok {
		return found, nil
	}
	found, err := s.FindSources(ctx, account, profileName, priorityName)
	if err != nil {
		return Sources{}, fmt.Errorf("find sources: %w", err)
	}
	// Names of nothing are the caller's choice, in number and length: they must not
	// fill the memory, and what the cache may hold bounds the rest.
	if found.Profile != nil && found.Priority != nil {
		s.sources.put(key, version, found)
	}
	return found, nil
}
