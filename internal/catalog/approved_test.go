package catalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

// far is a WhatsApp elsewhere; asked is called at every list.
type far struct {
	catalog.WhatsApp
	templates []catalog.WhatsAppTemplate
	err       error
	lists     int
	asked     func()
}

func (w *far) WhatsAppTemplates(context.Context, string, string) ([]catalog.WhatsAppTemplate, error) {
	w.lists++
	answer := w.templates
	if w.asked != nil {
		w.asked()
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
	f.clock.pass(5*time.Minute - time.Microsecond)
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 || w.lists != 1 {
		t.Errorf("just before 5 minutes: %v after %d lists; want what was known", got, w.lists)
	}
	f.clock.pass(time.Microsecond)
	if got := f.approved(t, w, "acme", "w"); len(got) != 1 || w.lists != 2 {
		t.Errorf("after 5 minutes: %v after %d lists; want the new answer", got, w.lists)
	}
	for _, c := range [][2]string{{"other", "w"}, {"acme", "v"}} {
		before := w.lists
		f.approved(t, w, c[0], c[1])
		if w.lists != before+1 {
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
	if w.lists != 2 {
		t.Errorf("%d lists; want 2", w.lists)
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
	f.ForgetWhatsApp("acme", "w")
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
		t.Errorf("approved = %v after a deletion; want none", got)
	}
}

func TestAnAnswerAskedForBeforeAChangeIsNotRemembered(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := &far{templates: statuses("APPROVED")}
	w.asked = func() { // the template is deleted while the answer travels
		w.templates, w.asked = nil, nil
		f.ForgetWhatsApp("acme", "w")
	}
	f.approved(t, w, "acme", "w")
	f.clock.pass(time.Millisecond)
	if got := f.approved(t, w, "acme", "w"); len(got) != 0 {
		t.Errorf("approved = %v though it was deleted since; want none", got)
	}
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
