package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
)

func oneTap(name, language string) catalog.WhatsAppTemplate {
	return catalog.WhatsAppTemplate{
		Name: name, Language: language, OneTap: true, SecurityRecommendation: true, Minutes: 3, CopyButtonText: "Copy",
		AutofillButtonText: "Fill", PackageName: "com.example.acme", SignatureHash: "K8a%2FAINcGX7",
	}
}

func putTemplates(t *testing.T, s SandboxStore, ref string, all ...catalog.WhatsAppTemplate) {
	t.Helper()
	for _, n := range all {
		if err := s.PutSandboxTemplate(t.Context(), acme, ref, n); err != nil {
			t.Fatalf("PutSandboxTemplate(%s, %s): %v", n.Name, n.Language, err)
		}
	}
}

// sandboxTemplates returns those of acme's WhatsApp account w1.
func sandboxTemplates(t *testing.T, s SandboxStore) []sandbox.StoredTemplate {
	t.Helper()
	got, err := s.SandboxTemplates(t.Context(), acme, "w1")
	if err != nil {
		t.Fatalf("SandboxTemplates: %v", err)
	}
	return got
}

func templateRoundTrip(t *testing.T, s SandboxStore, wall *Wall) {
	plain := catalog.WhatsAppTemplate{Name: "b", Language: "de", Minutes: 90}
	want := []sandbox.StoredTemplate{{WhatsAppTemplate: oneTap("c", "en_US")}, {WhatsAppTemplate: plain}, {WhatsAppTemplate: oneTap("a", "en")}}
	for i := range want {
		wall.Add(1234567 * time.Microsecond)
		putTemplates(t, s, "w1", want[i].WhatsAppTemplate)
		want[i].Created = wall.Now()
	}
	if diff := cmp.Diff(want, sandboxTemplates(t, s)); diff != "" {
		t.Errorf("templates, oldest first (-want +got):\n%s", diff)
	}
}

func templateForeign(t *testing.T, s SandboxStore, _ *Wall) {
	putTemplates(t, s, "w1", oneTap("login", "en"))
	putTemplates(t, s, "w2", oneTap("login", "en"))
	if err := s.PutSandboxTemplate(t.Context(), other, "w1", oneTap("login", "en")); err != nil {
		t.Errorf("another account's template of that name: %v", err)
	}
	if err := s.DeleteSandboxTemplate(t.Context(), other, "w2", "login"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("deleting another account's template = %v, want ErrNotFound", err)
	}
	if err := s.DeleteSandboxTemplate(t.Context(), acme, "w2", "login"); err != nil {
		t.Errorf("DeleteSandboxTemplate: %v", err)
	}
	if got := sandboxTemplates(t, s); len(got) != 1 || !got[0].Deleted.IsZero() {
		t.Errorf("templates of w1 = %+v, want one that is not deleted", got)
	}
}

func templateTaken(t *testing.T, s SandboxStore, _ *Wall) {
	putTemplates(t, s, "w1", oneTap("Login", "en"), oneTap("login", "de"), oneTap("login_2", "en"))
	for _, name := range []string{"Login", "login", "LOGIN"} {
		if err := s.PutSandboxTemplate(t.Context(), acme, "w1", oneTap(name, "en")); !errors.Is(err, catalog.ErrNameTaken) {
			t.Errorf("PutSandboxTemplate(%s) = %v, want ErrNameTaken", name, err)
		}
	}
	if got := sandboxTemplates(t, s); len(got) != 3 {
		t.Errorf("%d templates, want 3", len(got))
	}
}

func templateDeleted(t *testing.T, s SandboxStore, wall *Wall) {
	putTemplates(t, s, "w1", oneTap("login", "en"), oneTap("login", "de"), oneTap("stays", "en"))
	for _, name := range []string{"ghost", "LOGIN"} {
		if err := s.DeleteSandboxTemplate(t.Context(), acme, "w1", name); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("DeleteSandboxTemplate(%s) = %v, want ErrNotFound", name, err)
		}
	}
	wall.Add(time.Second)
	deleted := wall.Now()
	for range 2 { // the second time changes nothing
		if err := s.DeleteSandboxTemplate(t.Context(), acme, "w1", "login"); err != nil {
			t.Errorf("DeleteSandboxTemplate: %v", err)
		}
		wall.Add(time.Hour)
	}
	got := sandboxTemplates(t, s)
	if len(got) != 3 || !got[0].Deleted.Equal(deleted) || !got[1].Deleted.Equal(deleted) || !got[2].Deleted.IsZero() {
		t.Errorf("templates = %+v, want both languages deleted at %v and the other not", got, deleted)
	}
	wall.Add(deleted.Add(sandbox.Grace).Sub(wall.Now()) - time.Microsecond)
	for _, language := range []string{"en", "fr"} {
		if err := s.PutSandboxTemplate(t.Context(), acme, "w1", oneTap("Login", language)); !errors.Is(err, catalog.ErrNameTaken) {
			t.Errorf("PutSandboxTemplate(%s) at the end of its grace = %v, want ErrNameTaken", language, err)
		}
	}
	if got := sandboxTemplates(t, s); len(got) != 3 {
		t.Errorf("%d templates at the end of their grace, want 3", len(got))
	}
	wall.Add(time.Microsecond)
	if got := sandboxTemplates(t, s); len(got) != 1 || got[0].Name != "stays" {
		t.Errorf("templates after their grace = %+v, want the one that stays", got)
	}
	if err := s.DeleteSandboxTemplate(t.Context(), acme, "w1", "login"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("DeleteSandboxTemplate after the grace = %v, want ErrNotFound", err)
	}
	putTemplates(t, s, "w1", oneTap("login", "en"))
}

func templateRace(t *testing.T, s SandboxStore, _ *Wall) {
	var won atomic.Int32
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			switch err := s.PutSandboxTemplate(t.Context(), acme, "w1", oneTap("login", "en")); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, catalog.ErrNameTaken):
				t.Errorf("PutSandboxTemplate: %v", err)
			}
		})
	}
	callers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won, want 1", won.Load())
	}
}

// templateWhole puts languages of a template while it is deleted: those that came
// before went too, and none came after.
func templateWhole(t *testing.T, s SandboxStore, _ *Wall) {
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		putTemplates(t, s, "w1", oneTap(name, "en"))
		var callers sync.WaitGroup
		for _, language := range []string{"de", "fr", "es", "it"} {
			callers.Go(func() {
				if err := s.PutSandboxTemplate(t.Context(), acme, "w1", oneTap(name, language)); err != nil && !errors.Is(err, catalog.ErrNameTaken) {
					t.Errorf("PutSandboxTemplate: %v", err)
				}
			})
		}
		callers.Go(func() {
			if err := s.DeleteSandboxTemplate(t.Context(), acme, "w1", name); err != nil {
				t.Errorf("DeleteSandboxTemplate: %v", err)
			}
		})
		callers.Wait()
	}
	for _, got := range sandboxTemplates(t, s) {
		if got.Deleted.IsZero() {
			t.Errorf("template %s in %s is left of a deleted one", got.Name, got.Language)
		}
	}
}
