package catalog_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// far is a WhatsApp elsewhere, asked by one call at a time; asked is called at
// every list.
type far struct {
	catalog.WhatsApp
	templates []catalog.WhatsAppTemplate
	err       error
	lists     atomic.Int64
	asked     func(context.Context)
}

func (w *far) WhatsAppTemplates(ctx context.Context, _, _ string) ([]catalog.WhatsAppTemplate, error) {
	w.lists.Add(1)
	answer := w.templates
	if w.asked != nil {
		w.asked(ctx)
	}
	return answer, w.err
}

// near is one in this server.
type near struct{ far }

func (*near) LocalWhatsApp() {}

func statuses(of ...string) []catalog.WhatsAppTemplate {
	out := make([]catalog.WhatsAppTemplate, 0, len(of))
	for _, s := range of {
		out = append(out, catalog.WhatsAppTemplate{Name: "t_" + s, Language: "en", Status: s})
	}
	return out
}

// theApproved is the only template that can be sent of those in statuses.
func theApproved() map[catalog.Link]catalog.WhatsAppTemplate {
	return map[catalog.Link]catalog.WhatsAppTemplate{
		{Channel: message.WhatsApp, Template: "t_APPROVED", Language: "en"}: statuses("APPROVED")[0],
	}
}

func (f fixture) approved(t *testing.T, w catalog.WhatsApp, account, ref string) map[catalog.Link]catalog.WhatsAppTemplate {
	t.Helper()
	set, err := f.ApprovedWhatsApp(t.Context(), w, account, ref)
	noError(t, err)
	return set
}

func TestOnlyApprovedWhatsAppTemplatesCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: statuses("REQUESTED", "PENDING", "APPROVED", "REJECTED", "DELETION_PENDING", "approved", "")}
	if diff := cmp.Diff(theApproved(), f.approved(t, w, "acme", "w")); diff != "" {
		t.Errorf("approved (-want +got):\n%s", diff)
	}
}

func TestWhatWhatsAppSaidIsRememberedForFiveMinutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{}
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
		t.Fatalf("approved = %v; want none", got)
	}
	w.templates = statuses("APPROVED")
	f.clock.pass(4*time.Minute - time.Microsecond)
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 || w.lists.Load() != 1 {
		t.Errorf("just before 4 minutes: %v after %d lists; want what was known", got, w.lists.Load())
	}
	f.clock.pass(time.Minute + time.Microsecond)
	if got := f.approved(t, w, "acme", "w"); len(got) != 1 || w.lists.Load() != 2 {
		t.Errorf("after 5 minutes: %v after %d lists; want the new answer", got, w.lists.Load())
	}
	for _, c := range [][2]string{{"other", "w"}, {"acme", "v"}} {
		before := w.lists.Load()
		f.approved(t, w, c[0], c[1])
		if w.lists.Load() != before+1 {
			t.Errorf("%v got another account's answer", c)
		}
	}
}

func TestAClockSetBackDoesNotProlongWhatIsRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{}
	f.approved(t, w, "acme", "w")
	f.clock.pass(-time.Hour)
	f.approved(t, w, "acme", "w")
	if w.lists.Load() != 2 {
		t.Errorf("%d lists; want 2", w.lists.Load())
	}
}

func TestAWhatsAppInThisServerIsAskedEachTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &near{}
	f.approved(t, w, "acme", "w")
	w.templates = statuses("APPROVED")
	if diff := cmp.Diff(theApproved(), f.approved(t, w, "acme", "w")); diff != "" {
		t.Errorf("approved (-want +got):\n%s", diff)
	}
}

func TestAChangeMadeHereIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: statuses("APPROVED")}
	f.approved(t, w, "acme", "w")
	w.templates = nil
	f.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "W", Template: "T_approved", Gone: true})
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
		t.Errorf("approved = %v after a deletion; want none", got)
	}
	w.templates = statuses("APPROVED")
	f.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "w", Template: "t_APPROVED", Language: "en"})
	if got := f.approved(t, w, "acme", "w"); len(got) != 1 {
		t.Errorf("approved = %v after an approval; want one", got)
	}
}

func TestAnAnswerAskedForBeforeAChangeIsNotRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: statuses("APPROVED")}
	w.asked = func(context.Context) { // the template is deleted while the answer travels
		w.templates, w.asked = nil, nil
		f.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "w", Template: "t_approved", Language: "en", Gone: true})
	}
	for range 2 {
		if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
			t.Errorf("approved = %v though it was deleted since; want none", got)
		}
	}
	w.asked = func(context.Context) { // one is approved while the answer travels
		w.templates, w.asked = statuses("APPROVED"), nil
		f.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "w", Template: "t_approved", Language: "en"})
	}
	f.clock.pass(5 * time.Minute)
	if got := f.approved(t, w, "acme", "w"); len(got) != 1 {
		t.Errorf("approved = %v though it was approved since; want one", got)
	}
}

func TestNewsOfOneTemplateLeaveTheOthersKnown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: []catalog.WhatsAppTemplate{
		{Name: "Login", Language: "en", Status: "APPROVED"}, {Name: "Login", Language: "de", Status: "APPROVED"}, {Name: "other", Language: "en", Status: "APPROVED"},
	}}
	f.approved(t, w, "acme", "w")
	w.err = catalog.ErrWhatsAppUnreachable
	for i, c := range []struct {
		news catalog.WhatsAppChange
		left int
	}{
		{catalog.WhatsAppChange{AccountRef: "w", Template: "third", Language: "en"}, 3},
		{catalog.WhatsAppChange{AccountRef: "v", Template: "login", Gone: true}, 3},
		{catalog.WhatsAppChange{AccountRef: "w", Template: "login", Language: "de", Gone: true}, 2},
		{catalog.WhatsAppChange{AccountRef: "w", Template: "login", Gone: true}, 1},
	} {
		f.WhatsAppChanged(c.news)
		if got := f.approved(t, w, "acme", "w"); len(got) != c.left {
			t.Errorf("after news %d: %v can be sent; want %d", i, got, c.left)
		}
	}
	if w.lists.Load() == 1 {
		t.Error("it was not asked for a template that may be approved now")
	}
	before, other := w.lists.Load(), catalog.Link{Channel: message.WhatsApp, Template: "other", Language: "en"}
	if got, err := f.ApprovedWhatsApp(t.Context(), w, "acme", "w", other); len(got) != 1 || err != nil || w.lists.Load() != before {
		t.Errorf("approved = %v, %v, %d lists more for a template without news; want what is known", got, err, w.lists.Load()-before)
	}
	third := catalog.Link{Channel: message.WhatsApp, Template: "Third", Language: "en"}
	if got, err := f.ApprovedWhatsApp(t.Context(), w, "acme", "w", other, third); len(got) != 1 || err != nil || w.lists.Load() != before+1 {
		t.Errorf("approved = %v, %v, %d lists more for one with news; want what is known and one", got, err, w.lists.Load()-before)
	}
	f.clock.pass(5 * time.Minute)
	if got, err := f.ApprovedWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Errorf("approved = %v, %v when what is known is too old; want ErrWhatsAppUnreachable", got, err)
	}
}

func TestAnAccountThatWhatsAppDoesNotKnowHasNoTemplatesAnyMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: statuses("APPROVED")}
	f.approved(t, w, "acme", "w")
	w.err = catalog.ErrWhatsAppAccount
	f.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "w", Template: "other"})
	if got, err := f.ApprovedWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppAccount) {
		t.Errorf("approved = %v, %v; want ErrWhatsAppAccount", got, err)
	}
}

func TestPlansKnowWhatWasListed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{}
	f.approved(t, w, "acme", "w")
	for _, listed := range [][]catalog.WhatsAppTemplate{statuses("APPROVED"), statuses("PAUSED")} {
		w.templates = listed
		list, err := f.ListWhatsApp(t.Context(), w, "acme", "w")
		noError(t, err)
		if diff := cmp.Diff(listed, list); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		lists, want := w.lists.Load(), 0
		if listed[0].Status == catalog.WhatsAppApproved {
			want = 1
		}
		if got := f.approved(t, w, "acme", "w"); len(got) != want || w.lists.Load() != lists {
			t.Errorf("%v can be sent after a list of %v, asked %d times more; want what was listed", got, listed, w.lists.Load()-lists)
		}
	}
	w.err = catalog.ErrWhatsAppUnreachable
	if _, err := f.ListWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Errorf("ListWhatsApp = %v; want ErrWhatsAppUnreachable", err)
	}
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
		t.Errorf("approved = %v after a list that failed; want what was known", got)
	}
}

// bubble is a service without a store, for times that do not pass outside.
func bubble() *catalog.Service { return catalog.New(catalog.Config{Now: time.Now}) }

// lasting makes every list take d, or as long as its context.
func lasting(d time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
}

func TestASendWaitsTwoSecondsForAListAndTheAnswerIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w, begun := bubble(), &far{templates: statuses("APPROVED"), asked: lasting(12 * time.Second)}, time.Now()
		ctx, end := context.WithCancel(t.Context())
		for range 3 { // at 0 s, 2 s and 2 s
			if got, err := s.ApprovedWhatsApp(ctx, w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) || time.Since(begun) != 2*time.Second {
				t.Errorf("approved = %v, %v after %v; want ErrWhatsAppUnreachable after 2 s", got, err, time.Since(begun))
			}
		}
		end() // whoever asked is gone
		time.Sleep(10*time.Second - 1)
		if _, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
			t.Errorf("just before 12 s: %v; want ErrWhatsAppUnreachable", err)
		}
		time.Sleep(2 * time.Nanosecond)
		got, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w")
		if diff := cmp.Diff(theApproved(), got); diff != "" || err != nil || w.lists.Load() != 1 {
			t.Errorf("after 12 s: %v, %d lists; want one (-want +got):\n%s", err, w.lists.Load(), diff)
		}
	})
}

func TestASendWaitsTwoSecondsInAllForListsThatNewsOutdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w, begun := bubble(), &far{templates: statuses("APPROVED"), asked: lasting(1900 * time.Millisecond)}, time.Now()
		time.AfterFunc(time.Second, func() {
			s.WhatsAppChanged(catalog.WhatsAppChange{AccountRef: "w", Template: "t_approved", Language: "en"})
		})
		got, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w")
		if diff := cmp.Diff(theApproved(), got); diff != "" || err != nil || time.Since(begun) != 2*time.Second || w.lists.Load() != 2 {
			t.Errorf("%v after %v and %d lists; want nil after 2 s and 2 lists, and the first list (-want +got):\n%s", err, time.Since(begun), w.lists.Load(), diff)
		}
		time.Sleep(2 * time.Second) // the second list ends
	})
}

func TestWhatIsKnownIsAskedAnewBeforeItIsTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := bubble(), &far{templates: statuses("APPROVED")}
		ask := func() {
			t.Helper()
			begun := time.Now()
			if got, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w"); len(got) != 1 || err != nil || time.Since(begun) != 0 {
				t.Errorf("approved = %v, %v after %v; want one at once", got, err, time.Since(begun))
			}
		}
		ask()
		w.asked = lasting(30 * time.Second)
		for range 5 { // the last at 6 minutes
			time.Sleep(72 * time.Second)
			ask()
		}
		time.Sleep(time.Minute)
		if w.lists.Load() != 2 {
			t.Errorf("%d lists; want 2", w.lists.Load())
		}
	})
}

func TestAListThatDoesNotEndIsGivenUpAfterAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := bubble(), &far{err: catalog.ErrWhatsAppUnreachable, asked: func(ctx context.Context) { <-ctx.Done() }}
		for i := range int64(3) {
			_, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w")
			if !errors.Is(err, catalog.ErrWhatsAppUnreachable) || w.lists.Load() != i+1 {
				t.Errorf("approved = %v, %d lists; want ErrWhatsAppUnreachable and %d", err, w.lists.Load(), i+1)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestThePanicOfAListIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := bubble(), &far{asked: func(context.Context) { panic("a mistake") }}
		if got, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w"); got != nil || err == nil || strings.Contains(err.Error(), "a mistake") {
			t.Errorf("approved = %v, %v; want an error without the panic's value", got, err)
		}
	})
}

func TestRunEndsWhatIsAskedAndLetsNothingBegin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := bubble(), &far{err: catalog.ErrWhatsAppUnreachable, asked: func(ctx context.Context) { <-ctx.Done() }}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Over(nil).Run(ctx) }()
		_, _ = s.ApprovedWhatsApp(t.Context(), w, "acme", "w")
		begun := time.Now()
		end()
		if err := <-ended; err != nil || time.Since(begun) != 0 {
			t.Errorf("Run = %v after %v; want nil at once", err, time.Since(begun))
		}
		if _, err := s.ApprovedWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) || w.lists.Load() != 1 {
			t.Errorf("approved = %v, %d lists after the end; want ErrWhatsAppUnreachable and no other list", err, w.lists.Load())
		}
	})
}

func TestAFailureOfWhatsAppIsPassedOnAndNotRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{err: catalog.ErrWhatsAppUnreachable}
	if _, err := f.ApprovedWhatsApp(t.Context(), w, "acme", "w"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Errorf("ApprovedWhatsApp = %v; want ErrWhatsAppUnreachable", err)
	}
	w.err, w.templates = nil, statuses("APPROVED")
	if got := f.approved(t, w, "acme", "w"); len(got) != 1 {
		t.Errorf("approved = %v once WhatsApp answers; want one", got)
	}
}
