package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/store/registry"
)

// A standby that commits do not wait for lacks the last of them when it is
// promoted: what a node knew of these is true no longer, and the numbers that they
// had are given again.
func TestANodeKeepsNothingOfWhatAFailoverLost(t *testing.T) {
	t.Parallel()
	pair := pgtest.StartPair(t)
	s := made(t, pair.URL())
	change := func(name string) (err error) {
		return s.CreatePriority(t.Context(), "acme", catalog.Priority{ID: uuid.NewString(), Name: name})
	}
	versions := func() (ofCatalog, ofAccess int64) {
		ofCatalog, err := s.CatalogVersion(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		if ofAccess, err = s.AccessVersion(t.Context()); err != nil {
			t.Fatal(err)
		}
		return ofCatalog, ofAccess
	}
	if err := change("kept"); err != nil {
		t.Fatal(err)
	}

	pair.Part(t)
	if err := errors.Join(change("lost"), s.CreateAccount(t.Context(), account.Account{Name: "lost"})); err != nil {
		t.Fatal(err)
	}
	lostCatalog, lostAccess := versions()
	if _, err := s.AccountID(t.Context(), "lost"); err != nil {
		t.Fatal(err)
	}
	pair.Primary.Kill(t)
	pair.FailOver(t)

	for deadline := time.Now().Add(patience); ; {
		err := s.CreateAccount(t.Context(), account.Account{Name: "another"})
		if err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("change after the failover = %v", err)
		}
	}
	if err := change("made after it"); err != nil {
		t.Fatal(err)
	}
	if ofCatalog, ofAccess := versions(); ofCatalog <= lostCatalog || ofAccess <= lostAccess {
		t.Errorf("versions %d and %d after the failover, %d and %d of what was lost; want higher ones", ofCatalog, ofAccess, lostCatalog, lostAccess)
	}
	if _, err := s.AccountID(t.Context(), "lost"); !errors.Is(err, registry.ErrNoAccount) {
		t.Errorf("an account that was lost: %v; want ErrNoAccount", err)
	}
}
