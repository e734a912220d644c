package tyntecv4_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

// whatsApp is WhatsApp as a holder of templates and as a carrier.
type whatsApp struct {
	carrier *carrier
	now     func() time.Time

	mu        sync.Mutex // guards what follows
	templates []catalog.WhatsAppTemplate
	err       error // what every call is answered with
}

// LocalWhatsApp makes changes seen at once.
func (w *whatsApp) LocalWhatsApp() {}

func (w *whatsApp) fails(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// review gives all templates a status.
func (w *whatsApp) review(status string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.templates {
		w.templates[i].Status = status
	}
}

func (w *whatsApp) WhatsAppTemplates(context.Context, string, string) ([]catalog.WhatsAppTemplate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]catalog.WhatsAppTemplate{}, w.templates...), w.err
}

func (w *whatsApp) SubmitWhatsAppTemplate(_ context.Context, _, _ string, t catalog.WhatsAppTemplate) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	for _, other := range w.templates {
		if strings.EqualFold(other.Name, t.Name) && other.Language == t.Language {
			return catalog.ErrNameTaken
		}
	}
	t.Status, t.Created, t.Updated = catalog.WhatsAppPending, w.now(), w.now()
	t.Body, t.Footer = "*{{1}}* is your verification code.", "This code expires in 3 minutes."
	w.templates = append(w.templates, t)
	return nil
}

func (w *whatsApp) DeleteWhatsAppTemplate(_ context.Context, _, _, name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	found := false
	for i := range w.templates {
		if strings.EqualFold(w.templates[i].Name, name) {
			w.templates[i].Status, found = catalog.WhatsAppDeletionPending, true
		}
	}
	if !found {
		return catalog.ErrNotFound
	}
	return nil
}
