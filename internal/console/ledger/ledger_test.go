package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// list is an audit list.
type list struct {
	entries []audit.Entry
	err     error
}

func (l *list) Append(_ context.Context, e audit.Entry) error {
	if l.err != nil {
		return l.err
	}
	l.entries = append(l.entries, e)
	return nil
}

// store notes what is changed in it.
type store struct {
	catalog.Store

	log  *list
	done []int // how many entries there were at each change
	err  error
}

func (s *store) change() error {
	s.done = append(s.done, len(s.log.entries))
	return s.err
}

func (s *store) CreateTemplate(context.Context, string, catalog.Template) error { return s.change() }

func (s *store) UpdateTemplate(context.Context, string, string, func(catalog.Template) (catalog.Template, error)) error {
	return s.change()
}

func (s *store) DeleteTemplate(context.Context, string, string, message.Channel) error {
	return s.change()
}
func (s *store) CreateProfile(context.Context, string, catalog.Profile) error { return s.change() }
func (s *store) UpdateProfile(context.Context, string, string, func(catalog.Profile) (catalog.Profile, error)) error {
	return s.change()
}

func (s *store) DeleteProfile(context.Context, string, string) error { return s.change() }

func (s *store) CreatePriority(context.Context, string, catalog.Priority) error { return s.change() }

func (s *store) UpdatePriority(context.Context, string, string, func(catalog.Priority) (catalog.Priority, error)) error {
	return s.change()
}
func (s *store) DeletePriority(context.Context, string, string) error { return s.change() }
func (s *store) CreateCallback(context.Context, string, catalog.SealedCallback) error {
	return s.change()
}

func (s *store) UpdateCallback(context.Context, string, string, func(catalog.SealedCallback) (catalog.SealedCallback, error)) error {
	return s.change()
}
func (s *store) DeleteCallback(context.Context, string, string) error     { return s.change() }
func (s *store) SetWhatsAppAccount(context.Context, string, string) error { return s.change() }
func (s *store) CreateApplication(context.Context, string, catalog.Application) error {
	return s.change()
}

func (s *store) UpdateApplication(context.Context, string, string, func(catalog.Application) (catalog.Application, error)) error {
	return s.change()
}

func (s *store) DeleteApplication(context.Context, string, string) (catalog.Application, error) {
	return catalog.Application{Name: "gone"}, s.change()
}

// changes are all there are.
func changes(c catalog.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"template.create T id": func(ctx context.Context) error {
			return c.CreateTemplate(ctx, "acme", catalog.Template{ID: "id", Channel: "T"})
		},
		"template.change id":   func(ctx context.Context) error { return c.UpdateTemplate(ctx, "acme", "id", nil) },
		"template.delete T id": func(ctx context.Context) error { return c.DeleteTemplate(ctx, "acme", "id", "T") },
		"profile.create id":    func(ctx context.Context) error { return c.CreateProfile(ctx, "acme", catalog.Profile{ID: "id"}) },
		"profile.change id":    func(ctx context.Context) error { return c.UpdateProfile(ctx, "acme", "id", nil) },
		"profile.delete id":    func(ctx context.Context) error { return c.DeleteProfile(ctx, "acme", "id") },
		"priority.create id":   func(ctx context.Context) error { return c.CreatePriority(ctx, "acme", catalog.Priority{ID: "id"}) },
		"priority.change id":   func(ctx context.Context) error { return c.UpdatePriority(ctx, "acme", "id", nil) },
		"priority.delete id":   func(ctx context.Context) error { return c.DeletePriority(ctx, "acme", "id") },
		"callback.create id": func(ctx context.Context) error {
			return c.CreateCallback(ctx, "acme", catalog.SealedCallback{ID: "id"})
		},
		"callback.change id": func(ctx context.Context) error { return c.UpdateCallback(ctx, "acme", "id", nil) },
		"callback.delete id": func(ctx context.Context) error { return c.DeleteCallback(ctx, "acme", "id") },
		"callback.rotate id": func(ctx context.Context) error {
			return c.UpdateCallback(ledger.As(ctx, audit.ActionCallbackRotate), "acme", "id", nil)
		},
		"whatsapp.account id": func(ctx context.Context) error { return c.SetWhatsAppAccount(ctx, "acme", "id") },
		"application.create id": func(ctx context.Context) error {
			return c.CreateApplication(ctx, "acme", catalog.Application{ID: "id"})
		},
		"application.change id": func(ctx context.Context) error { return c.UpdateApplication(ctx, "acme", "id", nil) },
		"application.delete id": func(ctx context.Context) error { _, err := c.DeleteApplication(ctx, "acme", "id"); return err },
	}
}

var errStore = errors.New("no room")

func TestEveryChangeIsWrittenDownBeforeItIsMade(t *testing.T) {
	t.Parallel()
	for what := range changes(nil) {
		log := &list{}
		s := &store{log: log}
		err := changes(ledger.NewCatalog(s, log))[what](ledger.WithActor(t.Context(), "console ann"))
		if err != nil || !slices.Equal(s.done, []int{1}) {
			t.Errorf("%s: %v; made after %v entries, want once after 1", what, err, s.done)
		}
		if len(log.entries) != 1 || log.entries[0].Action+" "+log.entries[0].Subject != what {
			t.Errorf("%s is written down as %+v", what, log.entries)
		} else if e := log.entries[0]; e.Actor != "console ann" || e.Account != "acme" {
			t.Errorf("%s is written down as %+v", what, e)
		}
	}
}

func TestNothingIsChangedThatCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	for what := range changes(nil) {
		full := &list{err: errStore}
		s := &store{log: full}
		if err := changes(ledger.NewCatalog(s, full))[what](ledger.WithActor(t.Context(), "a")); !errors.Is(err, errStore) || len(s.done) != 0 {
			t.Errorf("%s: %v, made %d times; want the list's error, never", what, err, len(s.done))
		}
		nobody := &store{log: &list{}}
		if err := changes(ledger.NewCatalog(nobody, nobody.log))[what](t.Context()); err == nil || len(nobody.done) != 0 {
			t.Errorf("%s by nobody: %v, made %d times; want an error, never", what, err, len(nobody.done))
		}
	}
}

func TestAChangeThatWasNotMadeIsWrittenDownToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want []string
	}{
		{catalog.ErrNameTaken, []string{"profile.create id", "not_done profile.create id"}},
		{verify.ErrOutcomeUnknown, []string{"profile.create id"}}, // it may have been made
	} {
		log := &list{}
		err := changes(ledger.NewCatalog(&store{log: log, err: c.err}, log))["profile.create id"](ledger.WithActor(t.Context(), "a"))
		var got []string
		for _, e := range log.entries {
			got = append(got, e.Action+" "+e.Subject)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("after %v, %v (-want +got):\n%s", c.err, err, diff)
		}
	}
}

// wa is a WhatsApp that fails or not.
type wa struct {
	catalog.WhatsApp

	err error
}

func (w wa) SubmitWhatsAppTemplate(context.Context, string, string, catalog.WhatsAppTemplate) error {
	return w.err
}
func (w wa) DeleteWhatsAppTemplate(context.Context, string, string, string) error { return w.err }

func TestWhoWatchesLearnsThatAChangeMayHaveBeenMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{fmt.Errorf("insert: %w", verify.ErrUnavailable), false},
		{fmt.Errorf("commit: %w", verify.ErrOutcomeUnknown), true},
	} {
		ctx, inDoubt := ledger.Watch(ledger.WithActor(t.Context(), "me"))
		if err := ledger.Do(ctx, &list{}, "acme", "a", "b", func() error { return c.err }); !errors.Is(err, c.err) {
			t.Errorf("Do = %v; want %v", err, c.err)
		}
		if got := inDoubt(); got != c.want {
			t.Errorf("after %v: in doubt %v; want %v", c.err, got, c.want)
		}
	}
}

func TestChangesOfWhatsAppTemplatesAreWrittenDown(t *testing.T) {
	t.Parallel()
	log := &list{}
	w := ledger.NewWhatsApp(wa{}, log)
	ctx := ledger.WithActor(t.Context(), "a")
	if err := w.SubmitWhatsAppTemplate(ctx, "acme", "waba", catalog.WhatsAppTemplate{Name: "n", Language: "en"}); err != nil {
		t.Error(err)
	}
	if err := w.DeleteWhatsAppTemplate(ctx, "acme", "waba", "n"); err != nil {
		t.Error(err)
	}
	want := []audit.Entry{
		{Action: audit.ActionWhatsAppSubmit, Actor: "a", Account: "acme", Subject: "n en"},
		{Action: audit.ActionWhatsAppDelete, Actor: "a", Account: "acme", Subject: "n"},
	}
	if diff := cmp.Diff(want, log.entries); diff != "" {
		t.Errorf("written down (-want +got):\n%s", diff)
	}
}

// local is a WhatsApp in this server, and chooser one that sends every question to it.
type (
	local   struct{ wa }
	chooser struct {
		wa
		to catalog.WhatsApp
	}
)

func (local) LocalWhatsApp() {}

func (c chooser) Chosen(string, string) catalog.WhatsApp { return c.to }

func TestWhatAnswersForAnAccountIsKnownThroughTheLedger(t *testing.T) {
	t.Parallel()
	for _, w := range []catalog.WhatsApp{local{}, chooser{to: local{}}} {
		var written catalog.WhatsApp = ledger.NewWhatsApp(w, &list{})
		c, ok := written.(catalog.ChosenWhatsApp)
		if !ok {
			t.Fatal("what the ledger returns does not say what answers for an account")
		}
		if _, ok := c.Chosen("acme", "waba").(catalog.LocalWhatsApp); !ok {
			t.Errorf("Chosen over a %T = %T; want the one in this server", w, c.Chosen("acme", "waba"))
		}
	}
}
