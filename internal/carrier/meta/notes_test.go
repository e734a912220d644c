package meta_test

import (
	"context"
	"errors"
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
