package meta_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/catalog"
)

// pairs is how many pairs of calls run at once: one may be lucky.
const pairs = 20

// twice runs do twice at once.
func twice(do func() error) [2]error {
	var errs [2]error
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() { errs[i] = do() })
	}
	both.Wait()
	return errs
}

func TestOfTwoEqualSubmissionsAtOnceOneIsKept(t *testing.T) {
	t.Parallel()
	for range pairs {
		h := newHolder(t)
		born := h.at.Now()
		errs := twice(func() error { return h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()) })
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), catalog.ErrNameTaken) {
			t.Errorf("Submit = %v; want one nil and one ErrNameTaken", errs)
		}
		h.at.pass(time.Hour)
		h.review("APPROVED")
		if got := h.templates(t); len(got) != 1 || got[0].Name != "Login_WA" || !got[0].Created.Equal(born) {
			t.Fatalf("listed as %+v; want Login_WA, made at %v", got, born)
		}
	}
}

func TestATemplateThatTwoDeleteAtOnceStaysListed(t *testing.T) {
	t.Parallel()
	for range pairs {
		h := newHolder(t)
		h.submit(t, copyCodeTemplate())
		errs := twice(func() error { return h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa") })
		if errs != [2]error{} {
			t.Errorf("Delete = %v; want nil twice", errs)
		}
		if diff := cmp.Diff([]string{"Login_WA en_US DELETION_PENDING"}, h.states(t)); diff != "" {
			t.Fatalf("templates (-want +got):\n%s", diff)
		}
	}
}

// overtaken is the notebook as one node sees it; another node acts once after the
// first note was put through it.
type overtaken struct {
	*notebook
	other func()
}

func (o *overtaken) PutWhatsAppNote(ctx context.Context, account, ref string, n catalog.WhatsAppNote) error {
	err := o.notebook.PutWhatsAppNote(ctx, account, ref, n)
	if other := o.other; other != nil {
		o.other = nil
		other()
	}
	return err
}

// overtake returns a carrier, what it keeps its notes in, and another node's
// carrier over the same.
func overtake(t *testing.T) (h holder, kept *overtaken, other holder) {
	t.Helper()
	kept = &overtaken{notebook: &notebook{kept: map[[2]string][]catalog.WhatsAppNote{}}}
	h = newHolder(t, func(_ *meta.Config, d *meta.Deps) { d.Notes = kept })
	deps := newDesk().deps()
	deps.Notes, deps.Now = kept.notebook, h.at.Now
	return h, kept, holder{Carrier: open(t, config(h.graph), deps), graph: h.graph, at: h.at}
}

func TestWhatAnotherNodeSubmittedMeanwhileStaysNoted(t *testing.T) {
	t.Parallel()
	h, kept, other := overtake(t)
	var born time.Time
	kept.other = func() {
		h.at.pass(time.Millisecond)
		born = h.at.Now()
		other.submit(t, copyCodeTemplate())
	}
	if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()); !errors.Is(err, catalog.ErrNameTaken) {
		t.Fatalf("Submit = %v; want ErrNameTaken", err)
	}
	h.at.pass(time.Hour)
	if got := h.templates(t); len(got) != 1 || got[0].Name != "Login_WA" || !got[0].Created.Equal(born) {
		t.Errorf("listed as %+v; want Login_WA, made at %v", got, born)
	}
}

func TestASubmissionIsNotedAgainOnceWhatsAppTookIt(t *testing.T) {
	t.Parallel()
	h, kept, _ := overtake(t)
	born := h.at.Now()
	kept.other = func() { // it had looked before, and is going to be refused
		late := catalog.WhatsAppNote{WhatsAppTemplate: copyCodeTemplate()}
		late.Name, late.Created = "LOGIN_wa", born.Add(time.Millisecond)
		noError(t, kept.PutWhatsAppNote(t.Context(), "acme", waba, late))
	}
	h.submit(t, copyCodeTemplate())
	if got := h.templates(t); len(got) != 1 || got[0].Name != "Login_WA" || !got[0].Created.Equal(born) {
		t.Errorf("listed as %+v; want Login_WA, made at %v", got, born)
	}
}

func TestWhatAnotherNodeDeletedMeanwhileStaysListed(t *testing.T) {
	t.Parallel()
	h, kept, other := overtake(t)
	other.submit(t, copyCodeTemplate())
	kept.other = func() {
		h.at.pass(time.Millisecond)
		noError(t, other.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"))
	}
	if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
		t.Fatalf("Delete = %v; want ErrWhatsAppUnreachable, as it is gone", err)
	}
	if diff := cmp.Diff([]string{"Login_WA en_US DELETION_PENDING"}, h.states(t)); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

// slowBook is a notebook whose reading takes until it is freed.
type slowBook struct {
	notebook
	reads, free chan struct{}
}

func (b *slowBook) WhatsAppNotes(ctx context.Context, account, ref string) ([]catalog.WhatsAppNote, error) {
	b.reads <- struct{}{}
	<-b.free
	return b.notebook.WhatsAppNotes(ctx, account, ref)
}

func TestAChangeThatWaitsForAnotherEndsWithItsContext(t *testing.T) {
	t.Parallel()
	notes := &slowBook{reads: make(chan struct{}, 1), free: make(chan struct{})}
	notes.kept = map[[2]string][]catalog.WhatsAppNote{}
	h := newHolder(t, func(_ *meta.Config, d *meta.Deps) { d.Notes = notes })
	ended := make(chan error, 1)
	go func() { ended <- h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()) }()
	<-notes.reads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.DeleteWhatsAppTemplate(ctx, "acme", ref, "login_wa"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Delete = %v; want ErrWhatsAppUnreachable and its context's end", err)
	}
	close(notes.free)
	noError(t, <-ended)
	noError(t, h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"))
}
