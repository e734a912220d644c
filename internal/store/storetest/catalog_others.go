package storetest

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

func sealedKept(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := newCallback(1, "https://example.com/")
	noError(t, s.CreateCallback(ctx, "acme", want))
	for _, change := range []catalog.SealedCallback{
		{ID: id(1), URL: "http://example.org/", Secret: []byte{0xff, 0}, Previous: []byte{1, 0, 2}, PreviousUntil: 1 << 52},
		{ID: id(1), URL: "http://example.net/", ProfileID: id(3), Headers: []byte{7}, Secret: []byte{2}},
	} {
		noError(t, s.UpdateCallback(ctx, "acme", id(1), func(got catalog.SealedCallback) (catalog.SealedCallback, error) {
			wantSame(t, "what apply gets", got, want)
			return change, nil
		}))
		want = change
		got, err := s.Callbacks(ctx, "acme")
		noError(t, err)
		wantSame(t, "configurations", got, []catalog.SealedCallback{want})
		if (got[0].Headers == nil) != (want.Headers == nil) || (got[0].Previous == nil) != (want.Previous == nil) {
			t.Errorf("nothing sealed came back as something, or the reverse: %v; want %v", got[0], want)
		}
	}
}

func equalCallbacks(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	one, two := newCallback(1, "https://example.com/"), newCallback(1, "https://example.com/")
	two.ID = id(2)
	noError(t, s.CreateCallback(ctx, "acme", one))
	noError(t, s.CreateCallback(ctx, "acme", two))
	got, err := s.Callbacks(ctx, "acme")
	noError(t, err)
	wantSame(t, "configurations", got, []catalog.SealedCallback{one, two})
}

func callbackByID(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := newCallback(3, "https://example.com/")
	noError(t, s.CreateCallback(ctx, "acme", newCallback(2, "https://example.net/")))
	noError(t, s.CreateCallback(ctx, "other", want))
	owner, got, err := s.CallbackByID(ctx, id(3))
	noError(t, err)
	wantSame(t, "configuration", got, want)
	wantSame(t, "its account", owner, "other")
	_, _, err = s.CallbackByID(ctx, id(4))
	wantError(t, "CallbackByID of an absent one", err, catalog.ErrNotFound)
}

func whatsAppOnce(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	_, err := s.WhatsAppAccount(ctx, "acme")
	wantError(t, "WhatsAppAccount", err, catalog.ErrNotFound)
	noError(t, s.SetWhatsAppAccount(ctx, "acme", "w-1"))
	wantError(t, "setting it again", s.SetWhatsAppAccount(ctx, "acme", "w-1"), catalog.ErrExists)
	wantError(t, "setting another", s.SetWhatsAppAccount(ctx, "acme", "w-2"), catalog.ErrExists)
	got, err := s.WhatsAppAccount(ctx, "acme")
	noError(t, err)
	wantSame(t, "WhatsApp account", got, "w-1")
	_, err = s.WhatsAppAccount(ctx, "other")
	wantError(t, "the other account's", err, catalog.ErrNotFound)
	noError(t, s.SetWhatsAppAccount(ctx, "other", "w-1"))
}

func whatsAppRace(t *testing.T, s CatalogStore) {
	if won := crowd(t, catalog.ErrExists, func(int) error {
		return s.SetWhatsAppAccount(t.Context(), "acme", "w")
	}); won != 1 {
		t.Errorf("%d callers set the WhatsApp account; want 1", won)
	}
}

func defaultOf(n int) catalog.Application {
	a := newApplication(n, "default")
	a.Default = true
	return a
}

func defaultApplication(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, s.CreateApplication(ctx, "acme", newApplication(1, "first")))
	got, err := s.EnsureDefaultApplication(ctx, "acme", newApplication(2, "default"))
	noError(t, err)
	wantSame(t, "default application", got, defaultOf(2))
	got, err = s.EnsureDefaultApplication(ctx, "acme", newApplication(3, "another"))
	noError(t, err)
	wantSame(t, "default application asked for again", got, defaultOf(2))
	wantError(t, "creating another default", s.CreateApplication(ctx, "acme", defaultOf(5)), catalog.ErrExists)

	noError(t, s.UpdateApplication(ctx, "acme", id(2), func(a catalog.Application) (catalog.Application, error) {
		a.Default = false // fixed
		return a, nil
	}))
	earlier := newApplication(9, "drawn earlier, written later")
	earlier.Created = earlier.Created.Add(-time.Microsecond)
	noError(t, s.CreateApplication(ctx, "acme", earlier))
	all, err := s.Applications(ctx, "acme")
	noError(t, err)
	wantSame(t, "applications", all, []catalog.Application{defaultOf(2), earlier, newApplication(1, "first")})
	all, err = s.Applications(ctx, "other")
	noError(t, err)
	wantSame(t, "the other account's", all, []catalog.Application{})
	got, err = s.EnsureDefaultApplication(ctx, "other", newApplication(6, "default"))
	noError(t, err)
	wantSame(t, "the other account's default", got, defaultOf(6))
}

func defaultApplicationRace(t *testing.T, s CatalogStore) {
	got := make([]catalog.Application, crowdSize)
	crowd(t, nil, func(i int) (err error) {
		got[i], err = s.EnsureDefaultApplication(t.Context(), "acme", newApplication(3*i, "default"))
		return err
	})
	all, err := s.Applications(t.Context(), "acme")
	noError(t, err)
	if len(all) != 1 {
		t.Fatalf("%d applications; want 1", len(all))
	}
	for i, a := range got {
		if a.ID != all[0].ID {
			t.Errorf("caller %d got application %s; want %s", i, a.ID, all[0].ID)
		}
	}
}

func applicationNames(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	app := func(n int, name string, alias int64) catalog.Application {
		a := newApplication(n, name)
		a.Alias = alias
		return a
	}
	noError(t, s.CreateApplication(ctx, "acme", app(1, "a", 17)))
	noError(t, s.CreateApplication(ctx, "acme", app(2, "b", 0)))
	noError(t, s.CreateApplication(ctx, "acme", app(3, "c", 0)))
	wantError(t, "a taken alias", s.CreateApplication(ctx, "acme", app(4, "d", 17)), catalog.ErrAliasTaken)
	wantError(t, "a taken name", s.CreateApplication(ctx, "acme", app(4, "a", 18)), catalog.ErrNameTaken)
	noError(t, s.CreateApplication(ctx, "other", app(1, "a", 17)))
	alias := func(n int64) func(catalog.Application) (catalog.Application, error) {
		return func(a catalog.Application) (catalog.Application, error) {
			a.Alias = n
			return a, nil
		}
	}
	wantError(t, "changing to a taken alias", s.UpdateApplication(ctx, "acme", id(2), alias(17)), catalog.ErrAliasTaken)
	noError(t, s.UpdateApplication(ctx, "acme", id(1), alias(17)))
	noError(t, s.UpdateApplication(ctx, "acme", id(1), alias(0)))
	noError(t, s.UpdateApplication(ctx, "acme", id(2), alias(17)))
}

func applicationDeleted(t *testing.T, s CatalogStore) {
	want := newApplication(1, "a")
	noError(t, s.CreateApplication(t.Context(), "acme", want))
	got, err := s.DeleteApplication(t.Context(), "acme", id(1))
	noError(t, err)
	wantSame(t, "the deleted application", got, want)
	if got.Life != 300*time.Second+time.Microsecond {
		t.Errorf("life %v lost precision", got.Life)
	}
}

func sourcesByName(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	p, r := newProfile(1, "p"), newPriority(2, "r")
	noError(t, s.CreateProfile(ctx, "acme", p))
	noError(t, s.CreatePriority(ctx, "acme", r))
	noError(t, s.CreateProfile(ctx, "other", newProfile(3, "q")))
	noError(t, s.SetWhatsAppAccount(ctx, "acme", "w"))
	for _, c := range []struct {
		account, profile, priority string
		want                       catalog.Sources
	}{
		{"acme", "p", "r", catalog.Sources{Profile: &p, Priority: &r, WhatsAppAccount: "w"}},
		{"acme", "p", "p", catalog.Sources{Profile: &p, WhatsAppAccount: "w"}},
		{"acme", "r", "r", catalog.Sources{Priority: &r, WhatsAppAccount: "w"}},
		{"acme", "P", "", catalog.Sources{WhatsAppAccount: "w"}},
		{"acme", "q", "r", catalog.Sources{Priority: &r, WhatsAppAccount: "w"}},
		{"other", "p", "r", catalog.Sources{}},
		{"acme", "p\x00", "r\xff", catalog.Sources{WhatsAppAccount: "w"}}, // texts that not every database can hold
	} {
		got, err := s.FindSources(ctx, c.account, c.profile, c.priority)
		noError(t, err)
		wantSame(t, "sources "+c.account+" "+c.profile+" "+c.priority, got, c.want)
	}
}

func sourcesTemplates(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	de, en := newTemplate(1, message.SMS, "de", "de"), newTemplate(2, message.SMS, "en", "en")
	voice := newTemplate(3, message.Voice, "en", "en")
	for _, n := range []catalog.Template{
		de, en, voice, newTemplate(4, message.SMS, "unlinked", "fr"), newTemplate(5, message.Viber, "it", "it"),
		newTemplate(7, message.WhatsApp, "en", "en"),
	} {
		noError(t, s.CreateTemplate(ctx, "acme", n))
	}
	noError(t, s.CreateTemplate(ctx, "other", newTemplate(6, message.SMS, "gone", "es")))
	p := linked(1, "p",
		link(message.Voice, "en", "en"), link(message.SMS, "gone", "es"), link(message.SMS, "en", "en"),
		link(message.WhatsApp, "en", "en"), link(message.Viber, "it", "fr"), link(message.SMS, "de", "de"))
	noError(t, s.CreateProfile(ctx, "acme", p))
	got, err := s.FindSources(ctx, "acme", "p", "")
	noError(t, err)
	wantSame(t, "sources", got, catalog.Sources{Profile: &p, Templates: []catalog.Template{voice, en, de}})
}
