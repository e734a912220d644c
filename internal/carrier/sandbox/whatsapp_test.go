package sandbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/message"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// double returns a double with the review of the default setting, and the
// setter of its clock.
func double(review time.Duration) (w *sandbox.WhatsApp, set func(sinceNoon time.Duration)) {
	now := noon
	clock := func() time.Time { return now }
	return sandbox.NewWhatsApp(newMemory(clock), review, clock), func(d time.Duration) { now = noon.Add(d) }
}

func submit(t *testing.T, w *sandbox.WhatsApp, all ...catalog.WhatsAppTemplate) {
	t.Helper()
	for _, n := range all {
		if err := w.SubmitWhatsAppTemplate(t.Context(), "acme", "w1", n); err != nil {
			t.Fatal(err)
		}
	}
}

func templates(t *testing.T, w *sandbox.WhatsApp) []catalog.WhatsAppTemplate {
	t.Helper()
	list, err := w.WhatsAppTemplates(t.Context(), "acme", "w1")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestATemplateIsReviewed(t *testing.T) {
	t.Parallel()
	w, set := double(2 * time.Second)
	submit(t, w, catalog.WhatsAppTemplate{Name: "login", Language: "en", Minutes: 3}, catalog.WhatsAppTemplate{Name: "Bad_Rejected", Language: "en", Minutes: 3})
	const pending, verdict = 100 * time.Millisecond, 2100 * time.Millisecond
	for _, c := range []struct {
		at               time.Duration
		status, rejected string
		updated          time.Duration
	}{
		{0, catalog.WhatsAppRequested, catalog.WhatsAppRequested, 0},
		{pending - 1, catalog.WhatsAppRequested, catalog.WhatsAppRequested, 0},
		{pending, catalog.WhatsAppPending, catalog.WhatsAppPending, pending},
		{verdict - 1, catalog.WhatsAppPending, catalog.WhatsAppPending, pending},
		{verdict, catalog.WhatsAppApproved, catalog.WhatsAppRejected, verdict},
		{24 * time.Hour, catalog.WhatsAppApproved, catalog.WhatsAppRejected, verdict},
	} {
		set(c.at)
		got := templates(t, w)
		if got[0].Status != c.status || got[1].Status != c.rejected || !got[0].Updated.Equal(noon.Add(c.updated)) {
			t.Errorf("after %v: %s and %s, updated %v; want %s and %s, updated after %v",
				c.at, got[0].Status, got[1].Status, got[0].Updated.Sub(noon), c.status, c.rejected, c.updated)
		}
		if assigned := got[0].ButtonURL != ""; assigned != (c.status == catalog.WhatsAppApproved) || got[1].ButtonURL != "" {
			t.Errorf("after %v: button URLs %q and %q", c.at, got[0].ButtonURL, got[1].ButtonURL)
		}
		if !got[0].Created.Equal(noon) {
			t.Errorf("after %v: created %v", c.at, got[0].Created)
		}
	}
}

func TestAReviewMayTakeNoTime(t *testing.T) {
	t.Parallel()
	w, _ := double(0)
	submit(t, w, catalog.WhatsAppTemplate{Name: "login", Language: "en", Minutes: 3})
	if got := templates(t, w)[0].Status; got != catalog.WhatsAppApproved {
		t.Errorf("status = %s, want APPROVED at once", got)
	}
}

func TestADeletedTemplateStaysAsItWas(t *testing.T) {
	t.Parallel()
	w, set := double(2 * time.Second)
	submit(t, w, catalog.WhatsAppTemplate{Name: "early", Language: "en", Minutes: 3}, catalog.WhatsAppTemplate{Name: "late", Language: "en", Minutes: 3})
	for name, at := range map[string]time.Duration{"early": time.Second, "late": time.Minute} {
		set(at)
		if err := w.DeleteWhatsAppTemplate(t.Context(), "acme", "w1", name); err != nil {
			t.Fatal(err)
		}
	}
	set(time.Hour)
	got := templates(t, w)
	for i, want := range []struct {
		updated  time.Duration
		assigned bool
	}{{time.Second, false}, {time.Minute, true}} {
		if got[i].Status != catalog.WhatsAppDeletionPending || !got[i].Updated.Equal(noon.Add(want.updated)) || (got[i].ButtonURL != "") != want.assigned {
			t.Errorf("%s = %+v, want DELETION_PENDING since %v", got[i].Name, got[i], want.updated)
		}
	}
	if err := w.DeleteWhatsAppTemplate(t.Context(), "acme", "w1", "ghost"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("deleting what is not there = %v, want ErrNotFound", err)
	}
}

func TestTheWordsAreWhatsApps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given catalog.WhatsAppTemplate
		want  [3]string // body, footer, button URL
	}{
		{
			catalog.WhatsAppTemplate{Language: "en_US", Minutes: 3},
			[3]string{"*{{1}}* is your verification code.", "This code expires in 3 minutes.", "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"},
		},
		{
			catalog.WhatsAppTemplate{Language: "en", Minutes: 1, SecurityRecommendation: true},
			[3]string{
				"*{{1}}* is your verification code. For your security, do not share this code.", "This code expires in 1 minute.",
				"https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
			},
		},
		{
			catalog.WhatsAppTemplate{
				Language: "de", Minutes: 90, SecurityRecommendation: true, OneTap: true, AutofillButtonText: "Los & gut",
				PackageName: "com.example.acme", SignatureHash: "K8a%2FAINcGX7",
			},
			[3]string{
				"*{{1}}* ist dein Verifizierungscode. Teile diesen Code zu deiner Sicherheit nicht.", "Dieser Code läuft in 90 Minuten ab.",
				"https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&cta_display_name=Los+%26+gut&package_name=com.example.acme&signature_hash=K8a%2FAINcGX7&code=otp{{1}}",
			},
		},
		{
			catalog.WhatsAppTemplate{Language: "pl", Minutes: 22, OneTap: true, PackageName: "a.b", SignatureHash: "K8a/AINcGX7"},
			[3]string{
				"*{{1}}* to Twój kod weryfikacyjny.", "Ten kod wygaśnie za 22 min.",
				"https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&cta_display_name=Autofill&package_name=a.b&signature_hash=K8a%2FAINcGX7&code=otp{{1}}",
			},
		},
	} {
		w, _ := double(0)
		submit(t, w, c.given)
		got := templates(t, w)[0]
		if diff := cmp.Diff(c.want, [3]string{got.Body, got.Footer, got.ButtonURL}); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.given, diff)
		}
	}
}

func TestEveryLanguageHasWordsOfItsOwn(t *testing.T) {
	t.Parallel()
	w, _ := double(0)
	seen := map[string][]string{}
	for _, language := range message.Languages() {
		for _, minutes := range []int{1, 90} {
			submit(t, w, catalog.WhatsAppTemplate{Name: "t", Language: language, Minutes: minutes, SecurityRecommendation: true})
		}
	}
	for i, got := range templates(t, w) {
		if strings.Count(got.Body, "{{1}}") != 1 || strings.Contains(got.Footer, "%") || strings.Contains(got.Footer, "{{") {
			t.Errorf("%s: body %q, footer %q", got.Language, got.Body, got.Footer)
		}
		if i%2 == 1 {
			if !strings.Contains(got.Footer, "90") {
				t.Errorf("%s: footer %q does not tell the minutes", got.Language, got.Footer)
			}
			seen[got.Body] = append(seen[got.Body], got.Language)
		}
	}
	for body, languages := range seen {
		first, _, _ := strings.Cut(languages[0], "_")
		for _, l := range languages {
			if bare, _, _ := strings.Cut(l, "_"); bare != first {
				t.Errorf("%v share the words %q", languages, body)
			}
		}
	}
}
