package storetest

import (
	"fmt"
	"testing"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

func templateFixed(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	was := newTemplate(1, message.SMS, "n", "en")
	noError(t, s.CreateTemplate(ctx, "acme", was))
	noError(t, s.UpdateTemplate(ctx, "acme", id(1), func(got catalog.Template) (catalog.Template, error) {
		wantSame(t, "what apply gets", got, was)
		return catalog.Template{
			ID: id(2), Channel: message.Voice, Name: "m", Language: "de", Message: "new", Minutes: 120,
		}, nil
	}))
	got, err := s.Template(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "template", got, catalog.Template{
		ID: id(1), Channel: message.SMS, Name: "m", Language: "en", Message: "new", Minutes: 120,
	})
}

func templateNames(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(1, message.SMS, "n", "en")))
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(2, message.Voice, "n", "en")))
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(3, message.Viber, "n", "en")))
	wantError(t, "the name in another language", s.CreateTemplate(ctx, "acme", newTemplate(4, message.SMS, "n", "de")), catalog.ErrNameTaken)
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(4, message.SMS, "m", "de")))
	err := s.UpdateTemplate(ctx, "acme", id(4), func(n catalog.Template) (catalog.Template, error) {
		n.Name, n.Channel = "n", message.Email // the channel asked for does not count
		return n, nil
	})
	wantError(t, "renaming to a name of the channel", err, catalog.ErrNameTaken)
	noError(t, s.CreateTemplate(ctx, "other", newTemplate(5, message.SMS, "n", "en")))
	for name, want := range map[string][]catalog.Template{
		"n": {newTemplate(1, message.SMS, "n", "en")}, "m": {newTemplate(4, message.SMS, "m", "de")},
		"N": {}, "nn": {}, "": {}, "n\x00": {}, "\xff": {},
	} {
		got, err := s.TemplatesNamed(ctx, "acme", message.SMS, name)
		noError(t, err)
		wantSame(t, fmt.Sprintf("templates named %q", name), got, want)
	}
	_, err = s.TemplatesNamed(ctx, "nobody", message.SMS, "n")
	wantError(t, "TemplatesNamed", err, catalog.ErrNotFound)
}

func templateChannel(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := newTemplate(1, message.SMS, "n", "en")
	noError(t, s.CreateTemplate(ctx, "acme", want))
	noError(t, s.DeleteTemplate(ctx, "acme", id(1), message.Voice))
	got, err := s.Template(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "template", got, want)
	noError(t, s.DeleteTemplate(ctx, "acme", id(1), message.SMS))
	_, err = s.Template(ctx, "acme", id(1))
	wantError(t, "Template", err, catalog.ErrNotFound)
}

func link(channel message.Channel, template, language string) catalog.Link {
	return catalog.Link{Channel: channel, Template: template, Language: language}
}

func linked(n int, name string, links ...catalog.Link) catalog.Profile {
	p := newProfile(n, name)
	p.Links = links
	return p
}

func renameTemplate(t *testing.T, s CatalogStore, account, id, name string) {
	t.Helper()
	noError(t, s.UpdateTemplate(t.Context(), account, id, func(n catalog.Template) (catalog.Template, error) {
		n.Name = name
		return n, nil
	}))
}

func renameFollows(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	for _, name := range []string{"acme", "other"} {
		noError(t, s.CreateTemplate(ctx, name, newTemplate(1, message.SMS, "n", "en")))
		noError(t, s.CreateProfile(ctx, name, linked(1, "p",
			link(message.Voice, "n", "en"), link(message.SMS, "n", "de"), link(message.SMS, "n", "en"), link(message.Viber, "x", "en"))))
		noError(t, s.CreateProfile(ctx, name, linked(2, "q", link(message.SMS, "n", "en"))))
		noError(t, s.CreateProfile(ctx, name, linked(3, "r", link(message.SMS, "nn", "en"))))
	}
	renameTemplate(t, s, "acme", id(1), "m")
	got, err := s.Profiles(ctx, "acme")
	noError(t, err)
	wantSame(t, "profiles", got, []catalog.Profile{
		linked(1, "p", link(message.Voice, "n", "en"), link(message.SMS, "n", "de"), link(message.SMS, "m", "en"), link(message.Viber, "x", "en")),
		linked(2, "q", link(message.SMS, "m", "en")),
		linked(3, "r", link(message.SMS, "nn", "en")),
	})
	got, err = s.Profiles(ctx, "other")
	noError(t, err)
	wantSame(t, "the other account's second profile", got[1], linked(2, "q", link(message.SMS, "n", "en")))

	// A refused name moves nothing.
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(2, message.SMS, "taken", "en")))
	err = s.UpdateTemplate(ctx, "acme", id(1), func(n catalog.Template) (catalog.Template, error) {
		n.Name = "taken"
		return n, nil
	})
	wantError(t, "UpdateTemplate", err, catalog.ErrNameTaken)
	p, err := s.Profile(ctx, "acme", id(2))
	noError(t, err)
	wantSame(t, "profile after a refused rename", p, linked(2, "q", link(message.SMS, "m", "en")))
}

func linksOutlive(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := linked(1, "p", link(message.SMS, "n", "en"))
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(1, message.SMS, "n", "en")))
	noError(t, s.CreateProfile(ctx, "acme", want))
	noError(t, s.DeleteTemplate(ctx, "acme", id(1), message.SMS))
	got, err := s.Profile(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "profile", got, want)

	// Another template of the name, elsewhere, is not what is linked.
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(2, message.SMS, "n", "de")))
	renameTemplate(t, s, "acme", id(2), "m")
	got, err = s.Profile(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "profile after another template was renamed", got, want)
}

// newLinks writes profiles whose links were looked up before a template was
// renamed.
func newLinks(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	there, dead := link(message.SMS, "n", "en"), link(message.Voice, "gone", "en")
	with := func(p catalog.Profile, added ...catalog.Link) catalog.Profile {
		p.New = added
		return p
	}
	noError(t, s.CreateTemplate(ctx, "acme", newTemplate(1, message.SMS, "n", "en")))
	noError(t, s.CreateTemplate(ctx, "other", newTemplate(2, message.SMS, "others", "en")))
	noError(t, s.CreateProfile(ctx, "acme", with(linked(1, "p", dead, there), there)))
	want := linked(1, "p", dead, there)
	for i, absent := range []catalog.Link{
		link(message.SMS, "m", "en"), link(message.SMS, "n", "de"), link(message.Voice, "n", "en"), link(message.SMS, "others", "en"),
	} {
		wantError(t, "CreateProfile", s.CreateProfile(ctx, "acme", with(linked(2, "q", there, absent), there, absent)), catalog.ErrNoTemplate)
		err := s.UpdateProfile(ctx, "acme", id(1), func(p catalog.Profile) (catalog.Profile, error) {
			p.Name = "changed"
			return with(p, absent), nil
		})
		wantError(t, "UpdateProfile", err, catalog.ErrNoTemplate)
		all, err := s.Profiles(ctx, "acme")
		noError(t, err)
		if len(all) != 1 {
			t.Fatalf("%d profiles after new link %d was refused, want 1", len(all), i)
		}
		wantSame(t, "profile after a refused link", all[0], want)
	}
	want.Links = []catalog.Link{there, dead}
	noError(t, s.UpdateProfile(ctx, "acme", id(1), func(p catalog.Profile) (catalog.Profile, error) {
		p.Links = want.Links
		return with(p, there), nil
	}))
	got, err := s.Profile(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "profile", got, want)
}

func linkOrder(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := linked(1, "p",
		link(message.Voice, "z", "zh_TW"), link(message.SMS, "a", "en"), link(message.WhatsApp, "w", "en_US"), link(message.Voice, "a", "de"))
	noError(t, s.CreateProfile(ctx, "acme", want))
	noError(t, s.CreateProfile(ctx, "acme", linked(2, "q", link(message.SMS, "other", "en"))))
	got, err := s.Profile(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "profile", got, want)

	// The links of before come back in another order, with one more.
	want.Links = append([]catalog.Link{link(message.Viber, "b", "en")}, want.Links[2], want.Links[0])
	noError(t, s.UpdateProfile(ctx, "acme", id(1), func(catalog.Profile) (catalog.Profile, error) { return want, nil }))
	got, err = s.Profile(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "profile after a change", got, want)

	noError(t, s.DeleteProfile(ctx, "acme", id(1)))
	noError(t, s.CreateProfile(ctx, "acme", linked(1, "p")))
	all, err := s.Profiles(ctx, "acme")
	noError(t, err)
	wantSame(t, "profiles after one was made anew", all, []catalog.Profile{
		linked(2, "q", link(message.SMS, "other", "en")), linked(1, "p"),
	})
}

func ranksKept(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	want := newPriority(1, "r")
	noError(t, s.CreatePriority(ctx, "acme", want))
	want.Channels = []catalog.Rank{{Channel: message.WhatsApp, Rank: 3}}
	noError(t, s.UpdatePriority(ctx, "acme", id(1), func(catalog.Priority) (catalog.Priority, error) { return want, nil }))
	got, err := s.Priority(ctx, "acme", id(1))
	noError(t, err)
	wantSame(t, "priority", got, want)
}
