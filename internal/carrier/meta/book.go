package meta

import (
	"context"
	"strings"
	"sync"

	"github.com/countersign/countersign/internal/catalog"
)

// maxNotes bounds a book of one account; what does not fit is forgotten at once.
const maxNotes = 10_000

// book keeps notes in memory.
type book struct {
	mu    sync.Mutex // guards pages
	pages map[pageKey]map[noteKey]catalog.WhatsAppNote
}

type pageKey struct{ account, ref string }

// noteKey names a note: the name in lower case, and the language.
type noteKey struct{ name, language string }

func noteKeyOf(t catalog.WhatsAppTemplate) noteKey {
	return noteKey{strings.ToLower(t.Name), t.Language}
}

func newBook() *book { return &book{pages: map[pageKey]map[noteKey]catalog.WhatsAppNote{}} }

// WhatsAppNotes implements catalog.WhatsAppNotes.
func (b *book) WhatsAppNotes(_ context.Context, account, accountRef string) ([]catalog.WhatsAppNote, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []catalog.WhatsAppNote
	for _, n := range b.pages[pageKey{account, accountRef}] {
		list = append(list, n)
	}
	return list, nil
}

// PutWhatsAppNote implements catalog.WhatsAppNotes.
func (b *book) PutWhatsAppNote(_ context.Context, account, accountRef string, n catalog.WhatsAppNote) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	key, note := pageKey{account, accountRef}, noteKeyOf(n.WhatsAppTemplate)
	page := b.pages[key]
	if page == nil {
		page = map[noteKey]catalog.WhatsAppNote{}
		b.pages[key] = page
	}
	if _, ok := page[note]; ok || len(page) < maxNotes {
		page[note] = n
	}
	return nil
}
