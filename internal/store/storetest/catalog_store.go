package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// CatalogStore is what RunCatalog checks.
type CatalogStore interface {
	catalog.Store
	catalog.WhatsAppNotes
	CreateAccount(ctx context.Context, a account.Account) error
	SetSettings(ctx context.Context, name string, settings map[string]string) error
}

// RunCatalog checks the catalog stores that open returns: each one fresh and
// empty.
func RunCatalog(t *testing.T, open func(testing.TB) CatalogStore) {
	t.Helper()
	type testCase struct {
		name string
		run  func(*testing.T, CatalogStore)
	}
	cases := []testCase{
		{"an account that does not exist is ErrNotFound in every method", catalogOfNobody},
		{"every change raises the catalog version of its account only", catalogVersion},
		{"a refused change does not raise the catalog version", catalogVersionKept},

		{"a template's channel and language stay, its other parts follow Update", templateFixed},
		{"template names are unique per channel", templateNames},
		{"a template is deleted on its own channel only", templateChannel},
		{"links follow a template's new name, in one language and channel", renameFollows},
		{"links outlive their template", linksOutlive},
		{"new links need a template that exists", newLinks},

		{"a profile's links keep their order and are replaced whole", linkOrder},
		{"a priority keeps its ranks", ranksKept},

		{"a callback configuration keeps what is sealed", sealedKept},
		{"equal callback configurations are allowed", equalCallbacks},
		{"a callback configuration is found by id alone", callbackByID},

		{"a WhatsApp account is set once", whatsAppOnce},
		{"of many setting the WhatsApp account one wins", whatsAppRace},
		{"a note of a WhatsApp template is read as it was put, whatever the name's case", notesKept},
		{"notes of WhatsApp templates belong to an account and a WhatsApp account", notesForeign},

		{"the default application is made once and listed first", defaultApplication},
		{"of many asking for the default application all get the same one", defaultApplicationRace},
		{"application names and aliases are unique", applicationNames},
		{"a deleted application is returned as it was", applicationDeleted},

		{"sources are what the names name", sourcesByName},
		{"sources hold the templates that exist, in the order of the links", sourcesTemplates},
	}
	for _, k := range kinds() {
		cases = append(cases,
			testCase{k.name + ": entries are read as they were created, oldest first", k.roundTrip},
			testCase{k.name + ": what is absent is ErrNotFound, or nothing to delete", k.absent},
			testCase{k.name + ": another account's entries are as absent", k.foreign},
			testCase{k.name + ": an error of apply changes nothing", k.applyError},
			testCase{k.name + ": updates in parallel all count", k.updateRace},
			testCase{k.name + ": a deleted entry is gone and its id and name are free", k.deleted},
		)
		if k.named {
			cases = append(cases,
				testCase{k.name + ": a taken name is ErrNameTaken, in one account", k.nameTaken},
				testCase{k.name + ": of many creating one name one wins", k.nameRace},
				testCase{k.name + ": names are compared exactly", k.namesExact},
			)
		}
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			noError(t, s.CreateAccount(t.Context(), newAccount("acme")))
			noError(t, s.CreateAccount(t.Context(), newAccount("other")))
			c.run(t, s)
		})
	}
}

func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }

var errApply = errors.New("apply's own error")

func catalogOfNobody(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	_, err := s.CatalogVersion(ctx, "nobody")
	wantError(t, "CatalogVersion", err, catalog.ErrNotFound)
	_, err = s.FindSources(ctx, "nobody", "p", "r")
	wantError(t, "FindSources", err, catalog.ErrNotFound)
	_, err = s.WhatsAppAccount(ctx, "nobody")
	wantError(t, "WhatsAppAccount", err, catalog.ErrNotFound)
	wantError(t, "SetWhatsAppAccount", s.SetWhatsAppAccount(ctx, "nobody", "w"), catalog.ErrNotFound)
	_, err = s.EnsureDefaultApplication(ctx, "nobody", newApplication(1, "default"))
	wantError(t, "EnsureDefaultApplication", err, catalog.ErrNotFound)
	for _, k := range kinds() {
		_, err := k.list(ctx, s, "nobody")
		wantError(t, k.name+" list", err, catalog.ErrNotFound)
		wantError(t, k.name+" create", k.create(ctx, s, "nobody", 1, "n"), catalog.ErrNotFound)
		wantError(t, k.name+" update", k.count(ctx, s, "nobody", id(1)), catalog.ErrNotFound)
		wantError(t, k.name+" delete", k.remove(ctx, s, "nobody", id(1)), catalog.ErrNotFound)
	}
}

// catalogChanges are changes of the account acme, each possible after those
// before it.
func catalogChanges(ctx context.Context, s CatalogStore) []func() error {
	changes := []func() error{
		func() error { return s.SetSettings(ctx, "acme", map[string]string{"sender": "A"}) },
		func() error { return s.SetWhatsAppAccount(ctx, "acme", "w") },
		func() error {
			_, err := s.EnsureDefaultApplication(ctx, "acme", newApplication(100, "default"))
			return err
		},
	}
	for i, k := range kinds() {
		changes = append(changes,
			func() error { return k.create(ctx, s, "acme", i, "n") },
			func() error { return k.count(ctx, s, "acme", id(i)) },
			func() error { return k.remove(ctx, s, "acme", id(i)) },
		)
	}
	return changes
}

func catalogVersion(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	version := func(name string) int64 {
		t.Helper()
		v, err := s.CatalogVersion(ctx, name)
		noError(t, err)
		return v
	}
	others, last := version("other"), version("acme")
	for i, change := range catalogChanges(ctx, s) {
		noError(t, change())
		now := version("acme")
		if now <= last {
			t.Errorf("catalog version %d, then %d after change %d; want it raised", last, now, i)
		}
		last = now
	}
	if now := version("acme"); now != last {
		t.Errorf("catalog version %d, then %d after no change", last, now)
	}
	if now := version("other"); now != others {
		t.Errorf("the other account's catalog version went from %d to %d", others, now)
	}
}

func catalogVersionKept(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(1, message.SMS, "n", "en")))
	before, err := s.CatalogVersion(ctx, "acme")
	noError(t, err)
	wantError(t, "CreateTemplate", s.CreateTemplate(ctx, "acme", newTemplate(2, message.SMS, "n", "en")), catalog.ErrNameTaken)
	err = s.UpdateTemplate(ctx, "acme", id(1), func(catalog.Template) (catalog.Template, error) { return catalog.Template{}, errApply })
	wantError(t, "UpdateTemplate", err, errApply)
	after, err := s.CatalogVersion(ctx, "acme")
	noError(t, err)
	if after != before {
		t.Errorf("catalog version went from %d to %d though nothing changed", before, after)
	}
}
