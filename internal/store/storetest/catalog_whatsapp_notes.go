package storetest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

// whatsAppNotes returns the notes of an account in the order of their names.
func whatsAppNotes(t *testing.T, s CatalogStore, account, ref string) []catalog.WhatsAppNote {
	t.Helper()
	got, err := s.WhatsAppNotes(t.Context(), account, ref)
	noError(t, err)
	slices.SortFunc(got, func(a, b catalog.WhatsAppNote) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Language, b.Language))
	})
	return got
}

func notesKept(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	wantSame(t, "notes", whatsAppNotes(t, s, "acme", "w"), []catalog.WhatsAppNote(nil))
	full := catalog.WhatsAppNote{WhatsAppTemplate: oneTap("Login_WA", "en_US"), Deleted: Start.Add(time.Hour)}
	full.Status, full.Body, full.Footer, full.ButtonURL = "PENDING", "*{{1}}* é", "3 minutes", "https://example.com/?a=1&b={{1}}"
	full.Created, full.Updated = Start.Add(1234567*time.Microsecond), Start.Add(time.Minute)
	bare := catalog.WhatsAppNote{WhatsAppTemplate: catalog.WhatsAppTemplate{Name: "Login_WA", Language: "de", Created: Start, Updated: Start}}
	for _, n := range []catalog.WhatsAppNote{full, bare} {
		noError(t, s.PutWhatsAppNote(ctx, "acme", "w", n))
	}
	wantSame(t, "notes", whatsAppNotes(t, s, "acme", "w"), []catalog.WhatsAppNote{bare, full})
	changed := full
	changed.Name, changed.Status, changed.Deleted, changed.Deleting = "LOGIN_wa", "APPROVED", time.Time{}, Start.Add(2*time.Hour)
	noError(t, s.PutWhatsAppNote(ctx, "acme", "w", changed))
	wantSame(t, "notes after a change", whatsAppNotes(t, s, "acme", "w"), []catalog.WhatsAppNote{changed, bare})
}

func notesForeign(t *testing.T, s CatalogStore) {
	ctx := t.Context()
	note := func(status string) catalog.WhatsAppNote {
		n := catalog.WhatsAppNote{WhatsAppTemplate: oneTap("login", "en")}
		n.Status, n.Created, n.Updated = status, Start, Start
		return n
	}
	noError(t, s.PutWhatsAppNote(ctx, "acme", "w", note("1")))
	noError(t, s.PutWhatsAppNote(ctx, "acme", "v", note("2")))
	noError(t, s.PutWhatsAppNote(ctx, "other", "w", note("3")))
	wantSame(t, "notes", whatsAppNotes(t, s, "acme", "w"), []catalog.WhatsAppNote{note("1")})
	wantSame(t, "notes of another WhatsApp account", whatsAppNotes(t, s, "acme", "v"), []catalog.WhatsAppNote{note("2")})
	wantSame(t, "notes of another account", whatsAppNotes(t, s, "other", "w"), []catalog.WhatsAppNote{note("3")})
	wantSame(t, "notes of nobody", whatsAppNotes(t, s, "nobody", "w"), []catalog.WhatsAppNote(nil))
	if err := s.PutWhatsAppNote(ctx, "nobody", "w", note("4")); err == nil {
		t.Error("an account that does not exist has a note")
	}
}
