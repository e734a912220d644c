package meta_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/catalog"
)

// notebook keeps notes as a store does.
type notebook struct {
	mu   sync.Mutex // guards what follows
	err  error
	kept map[[2]string][]catalog.WhatsAppNote
	puts int
}

func (n *notebook) WhatsAppNotes(_ context.Context, account, ref string) ([]catalog.WhatsAppNote, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.kept[[2]string{account, ref}]), n.err
}

func (n *notebook) PutWhatsAppNote(_ context.Context, account, ref string, note catalog.WhatsAppNote) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.puts++
	key := [2]string{account, ref}
	n.kept[key] = append(slices.DeleteFunc(n.kept[key], func(o catalog.WhatsAppNote) bool {
		return strings.EqualFold(o.Name, note.Name) && o.Language == note.Language
	}), note)
	return n.err
}

func TestNotesOutliveTheCarrier(t *testing.T) {
	t.Parallel()
	notes := &notebook{kept: map[[2]string][]catalog.WhatsAppNote{}}
	first := newHolder(t, func(_ *meta.Config, d *meta.Deps) { d.Notes = notes })
	first.submit(t, copyCodeTemplate())
	first.submit(t, oneTapTemplate())
	noError(t, first.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "tap"))
	want := first.templates(t)

	deps := newDesk().deps()
	deps.Notes, deps.Now = notes, func() time.Time { return first.at.Now().Add(time.Hour) }
	second := holder{Carrier: open(t, config(first.graph), deps), graph: first.graph, at: first.at}
	before := notes.puts
	if diff := cmp.Diff(want, second.templates(t)); diff != "" {
		t.Errorf("templates after a restart (-want +got):\n%s", diff)
	}
	if notes.puts != before {
		t.Errorf("%d notes were written though nothing changed", notes.puts-before)
	}
	noError(t, second.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "tap"))
	if got := notes.kept[[2]string{"acme", waba}]; len(got) != 2 {
		t.Errorf("notes = %+v; want two, under WhatsApp's own id of the account", got)
	}
}

func TestNotesThatCannotBeReadOrKeptFailTheCall(t *testing.T) {
	t.Parallel()
	away := errors.New("the store is away")
	notes := &notebook{kept: map[[2]string][]catalog.WhatsAppNote{}}
	h := newHolder(t, func(_ *meta.Config, d *meta.Deps) { d.Notes = notes })
	h.submit(t, copyCodeTemplate())
	notes.err = away
	_, err := h.WhatsAppTemplates(t.Context(), "acme", ref)
	for _, err := range []error{
		err, h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, oneTapTemplate()), h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"),
	} {
		if !errors.Is(err, away) || errors.Is(err, catalog.ErrWhatsAppUnreachable) {
			t.Errorf("the call returned %v; want the store's error", err)
		}
	}
	if diff := cmp.Diff(1, len(h.held())); diff != "" {
		t.Errorf("templates at WhatsApp (-want +got):\n%s", diff)
	}
}

// held returns what WhatsApp has.
func (g *graph) held() []map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.templates)
}

// elsewhere is another system at the same WhatsApp account.
func (h holder) elsewhere(t testing.TB) holder {
	t.Helper()
	deps := newDesk().deps()
	deps.Now = h.at.Now
	return holder{Carrier: open(t, config(h.graph), deps), graph: h.graph, at: h.at}
}

// lost answers the n-th request to come as a proxy does that gave up waiting.
func (h holder) lost(n int) {
	h.answer(append(make([]reply, n-1), reply{status: http.StatusBadGateway})...)
}

func TestATemplateIsListedAsItWasSubmittedThoughTheAnswerWasLost(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	born := h.at.Now()
	h.lost(2)
	if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, oneTapTemplate()); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Fatalf("Submit = %v; want ErrWhatsAppUnreachable", err)
	}
	if got := h.states(t); len(got) != 0 {
		t.Errorf("listed %v though WhatsApp has none", got)
	}
	h.at.pass(time.Hour)
	h.elsewhere(t).submit(t, oneTapTemplate()) // as if it had come through
	got := h.templates(t)
	if want := oneTapTemplate(); len(got) != 1 || got[0].CopyButtonText != want.CopyButtonText || !got[0].Created.Equal(born) {
		t.Errorf("listed as %+v; want the button as submitted and %v as its time", got, born)
	}
}

func TestASubmissionThatWhatsAppRefusesLeavesNoNote(t *testing.T) {
	t.Parallel()
	for _, refused := range []reply{refusal(http.StatusBadRequest, 192, 0), refusal(http.StatusBadRequest, 100, 2388024), refusal(http.StatusUnauthorized, 190, 0)} {
		h := newHolder(t)
		h.answer(reply{}, refused)
		if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, oneTapTemplate()); err == nil {
			t.Fatal("Submit = nil; want an error")
		}
		h.at.pass(time.Hour)
		h.elsewhere(t).submit(t, oneTapTemplate())
		if got := h.templates(t); len(got) != 1 || !got[0].Created.Equal(h.at.Now()) {
			t.Errorf("after %s listed as %+v; want one that was first seen now, %v", refused.body, got, h.at.Now())
		}
		again := oneTapTemplate()
		again.CopyButtonText = "Another"
		h.answer(reply{status: http.StatusOK, body: `{"data":[]}`}, refusal(http.StatusBadRequest, 100, 2388024))
		if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, again); !errors.Is(err, catalog.ErrNameTaken) {
			t.Errorf("Submit of a name that is taken = %v; want ErrNameTaken", err)
		}
		if got := h.templates(t); len(got) != 1 || got[0].CopyButtonText == "Another" {
			t.Errorf("listed as %+v; want it as it was", got)
		}
	}
}

func TestADeletionWhoseAnswerWasLostIsRepeated(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.submit(t, copyCodeTemplate())
	h.submit(t, oneTapTemplate())
	remove := func() error { return h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "Login_WA") }
	h.lost(2)
	if err := remove(); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Fatalf("Delete = %v; want ErrWhatsAppUnreachable", err)
	}
	h.review("APPROVED")
	if diff := cmp.Diff([]string{"Login_WA en_US APPROVED", "tap de APPROVED"}, h.states(t)); diff != "" {
		t.Errorf("not deleted at WhatsApp (-want +got):\n%s", diff)
	}
	noError(t, h.elsewhere(t).DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa")) // as if it had come through
	noError(t, remove())
	if diff := cmp.Diff([]string{"Login_WA en_US DELETION_PENDING", "tap de APPROVED"}, h.states(t)); diff != "" {
		t.Errorf("deleted at WhatsApp (-want +got):\n%s", diff)
	}

	h.lost(2)
	if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "tap"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Fatalf("Delete = %v; want ErrWhatsAppUnreachable", err)
	}
	noError(t, h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "tap")) // it did not come through
	if left := len(h.graph.templates); left != 0 {
		t.Errorf("WhatsApp has %d templates still", left)
	}
}

func TestADeletionThatWhatsAppRefusesLeavesTheTemplateAsItWas(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.submit(t, copyCodeTemplate())
	h.answer(reply{}, refusal(http.StatusForbidden, 200, 0))
	if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Fatalf("Delete = %v; want ErrWhatsAppUnreachable", err)
	}
	noError(t, h.elsewhere(t).DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"))
	if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"); !errors.Is(err, catalog.ErrNotFound) || len(h.states(t)) != 0 {
		t.Errorf("Delete of what was deleted elsewhere = %v, listed %v; want ErrNotFound and none", err, h.states(t))
	}
}
