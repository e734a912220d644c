package meta_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/catalog"
)

// holder is a carrier whose clock and notes a test holds.
type holder struct {
	*meta.Carrier
	*graph
	at *clock
}

func newHolder(t testing.TB, change ...func(*meta.Config, *meta.Deps)) holder {
	t.Helper()
	h := holder{graph: newGraph(t), at: newClock()}
	cfg, deps := config(h.graph), newDesk().deps()
	deps.Now = h.at.Now
	for _, f := range change {
		f(&cfg, &deps)
	}
	h.Carrier = open(t, cfg, deps)
	return h
}

func (h holder) submit(t testing.TB, n catalog.WhatsAppTemplate) {
	t.Helper()
	noError(t, h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, n))
}

func (h holder) templates(t testing.TB) []catalog.WhatsAppTemplate {
	t.Helper()
	list, err := h.WhatsAppTemplates(t.Context(), "acme", ref)
	noError(t, err)
	return list
}

// states returns what is listed, as "name language status".
func (h holder) states(t testing.TB) []string {
	t.Helper()
	var states []string
	for _, n := range h.templates(t) {
		states = append(states, n.Name+" "+n.Language+" "+n.Status)
	}
	return states
}

func TestATemplateIsListedAsItWasSubmitted(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	born := h.at.Now()
	h.submit(t, copyCodeTemplate())
	h.at.pass(time.Minute)
	h.submit(t, oneTapTemplate())
	want := []catalog.WhatsAppTemplate{
		{
			Name: "Login_WA", Language: "en_US", Status: "PENDING", SecurityRecommendation: true, Minutes: 3,
			Body:      "*{{1}}* is your verification code. For your security, do not share this code.",
			Footer:    "This code expires in 3 minutes.",
			ButtonURL: "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=3&code=otp{{1}}",
			Created:   born, Updated: born,
		},
		{
			Name: "tap", Language: "de", Status: "PENDING", OneTap: true, Minutes: 90,
			CopyButtonText: "Kopieren & los", AutofillButtonText: "Einsetzen", PackageName: "com.example.acme", SignatureHash: "K8a%2FAINcGX7",
			Body: "*{{1}}* is your verification code.", Footer: "This code expires in 90 minutes.",
			ButtonURL: "https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&cta_display_name=Autofill&package_name=com.example.acme&signature_hash=K8a%2FAINcGX7&code=otp{{1}}",
			Created:   born.Add(time.Minute), Updated: born.Add(time.Minute),
		},
	}
	if diff := cmp.Diff(want, h.templates(t)); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
	h.at.pass(time.Hour)
	h.review("APPROVED")
	for i := range want {
		want[i].Status, want[i].Updated = "APPROVED", h.at.Now()
	}
	h.templates(t)
	h.at.pass(time.Hour) // in which nothing happens
	if diff := cmp.Diff(want, h.templates(t)); diff != "" {
		t.Errorf("templates after the review (-want +got):\n%s", diff)
	}
}

func TestAZeroTapTemplateIsListedAsOneTap(t *testing.T) {
	t.Parallel()
	h := newHolder(t, func(c *meta.Config, _ *meta.Deps) { c.Accounts[0].ZeroTapTermsAccepted = true })
	h.submit(t, oneTapTemplate())
	if got := h.templates(t)[0]; !got.OneTap || !strings.Contains(got.ButtonURL, "ZERO_TAP") {
		t.Errorf("listed as %+v; want one-tap with WhatsApp's zero-tap URL", got)
	}
}

func TestANameIsTakenInItsLanguageWhateverTheCase(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.submit(t, copyCodeTemplate())
	again, german := copyCodeTemplate(), copyCodeTemplate()
	again.Name, german.Language = "LOGIN_wa", "de"
	if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, again); !errors.Is(err, catalog.ErrNameTaken) {
		t.Errorf("Submit = %v; want ErrNameTaken", err)
	}
	h.submit(t, german)
	part := copyCodeTemplate()
	part.Name = "login" // their filter finds it in login_wa
	h.submit(t, part)
	for _, subcode := range []int{2388023, 2388024} {
		other := copyCodeTemplate()
		other.Name = fmt.Sprint("n", subcode)
		h.answer(reply{}, refusal(http.StatusBadRequest, 100, subcode))
		if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, other); !errors.Is(err, catalog.ErrNameTaken) {
			t.Errorf("Submit refused with %d = %v; want ErrNameTaken", subcode, err)
		}
	}
}

func TestADeletedTemplateStaysListedForThirtyDays(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	german := copyCodeTemplate()
	german.Language = "de"
	h.submit(t, copyCodeTemplate())
	h.submit(t, german)
	h.submit(t, oneTapTemplate())
	if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "ghost"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("Delete of what is not there = %v; want ErrNotFound", err)
	}
	for range 2 {
		noError(t, h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "Login_WA"))
	}
	if got := len(h.requests(http.MethodDelete)); got != 1 {
		t.Errorf("%d deletions; want 1", got)
	}
	h.at.pass(30*24*time.Hour - 1)
	pending := []string{"Login_WA de DELETION_PENDING", "Login_WA en_US DELETION_PENDING", "tap de PENDING"}
	if diff := cmp.Diff(pending, h.states(t)); diff != "" {
		t.Errorf("a moment before the end (-want +got):\n%s", diff)
	}
	if err := h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()); !errors.Is(err, catalog.ErrNameTaken) {
		t.Errorf("Submit = %v; want ErrNameTaken in the days of grace", err)
	}
	h.at.pass(1)
	if diff := cmp.Diff([]string{"tap de PENDING"}, h.states(t)); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
	h.submit(t, copyCodeTemplate())
	if diff := cmp.Diff([]string{"tap de PENDING", "Login_WA en_US PENDING"}, h.states(t)); diff != "" {
		t.Errorf("submitted anew (-want +got):\n%s", diff)
	}
	h.review("PENDING_DELETION") // at WhatsApp itself
	if diff := cmp.Diff([]string{"tap de DELETION_PENDING", "Login_WA en_US DELETION_PENDING"}, h.states(t)); diff != "" {
		t.Errorf("deleted elsewhere (-want +got):\n%s", diff)
	}
	noError(t, h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "tap"))
}

func TestTemplatesOfOthersAreListedToo(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	h.answer(reply{status: http.StatusOK, body: `{"data":[
		{"id":"1","name":"plain","language":"en","status":"approved","category":"AUTHENTICATION","components":[
			{"type":"BODY","text":"*{{1}}* is your verification code."},
			{"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"I didn't request a code"},
				{"type":"URL","text":"Copy","url":"https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"}]}]},
		{"id":"2","name":"short","language":"en","status":"PAUSED","category":"AUTHENTICATION","components":[
			{"type":"FOOTER","text":"Vence en 7 minutos."},
			{"type":"BUTTONS","buttons":[{"type":"URL","url":"https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=7&code=otp{{1}}"}]}]},
		{"id":"3","name":"old","language":"en","status":"APPROVED","category":"AUTHENTICATION","components":[
			{"type":"BUTTONS","buttons":[{"type":"OTP","otp_type":"ONE_TAP","autofill_text":"Fill","package_name":"a.b","signature_hash":"K8a/AINcGX7"}]}]},
		{"id":"4","name":"sale","language":"en","status":"APPROVED","category":"MARKETING"},
		{"id":"5","name":"bare","language":"en","status":"APPROVED","category":"AUTHENTICATION","components":null}]}`})
	now := h.at.Now()
	want := []catalog.WhatsAppTemplate{
		{Name: "bare", Language: "en", Status: "APPROVED", Minutes: 10},
		{Name: "old", Language: "en", Status: "APPROVED", Minutes: 10, OneTap: true, AutofillButtonText: "Fill", PackageName: "a.b", SignatureHash: "K8a/AINcGX7"},
		{
			Name: "plain", Language: "en", Status: "APPROVED", Minutes: 10, CopyButtonText: "Copy", Body: "*{{1}}* is your verification code.",
			ButtonURL: "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
		},
		{
			Name: "short", Language: "en", Status: "PAUSED", Minutes: 7, Footer: "Vence en 7 minutos.",
			ButtonURL: "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=7&code=otp{{1}}",
		},
	}
	for i := range want {
		want[i].Created, want[i].Updated = now, now
	}
	if diff := cmp.Diff(want, h.templates(t)); diff != "" {
		t.Errorf("templates (-want +got):\n%s", diff)
	}
}

func TestALongListIsReadPageByPage(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	tail := strings.Repeat("x", 300) // so that a page is longer than what is read of a message's answer
	for i := range 245 {
		n := copyCodeTemplate()
		n.Name = fmt.Sprintf("t%03d%s", i, tail)
		h.submit(t, n)
	}
	before := len(h.requests(http.MethodGet))
	if got := h.states(t); len(got) != 245 || got[0] != "t000"+tail+" en_US PENDING" || got[244] != "t244"+tail+" en_US PENDING" {
		t.Errorf("%d templates: %v; want 245, oldest first", len(got), got)
	}
	if got := len(h.requests(http.MethodGet)) - before; got != 3 {
		t.Errorf("%d pages were asked for; want 3", got)
	}
}

func TestWhatWhatsAppSaysOfTemplatesBecomesTheCatalogsErrors(t *testing.T) {
	t.Parallel()
	h := newHolder(t)
	for _, c := range []struct {
		reply
		submit, list error
	}{
		{refusal(400, 100, 33), catalog.ErrWhatsAppAccount, catalog.ErrWhatsAppAccount},
		{refusal(404, 803, 0), catalog.ErrWhatsAppAccount, catalog.ErrWhatsAppAccount},
		{refusal(400, 100, 0), catalog.ErrWhatsAppRefused, catalog.ErrWhatsAppUnreachable},
		{refusal(400, 192, 2388299), catalog.ErrWhatsAppRefused, catalog.ErrWhatsAppUnreachable},
		{refusal(400, 80008, 0), catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
		{refusal(403, 200, 2388040), catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
		{refusal(401, 190, 463), catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
		{refusal(500, 2, 0), catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
		{reply{status: 503}, catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
		{reply{status: 200, body: `<html>`}, catalog.ErrWhatsAppUnreachable, catalog.ErrWhatsAppUnreachable},
	} {
		h.answer(c.reply)
		_, err := h.WhatsAppTemplates(t.Context(), "acme", ref)
		if !errors.Is(err, c.list) {
			t.Errorf("%s: list = %v; want %v", c.body, err, c.list)
		}
		h.answer(reply{}, c.reply)
		err = h.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate())
		if !errors.Is(err, c.submit) {
			t.Errorf("%s: submit = %v; want %v", c.body, err, c.submit)
		}
		if err != nil && strings.Contains(err.Error(), "483916") {
			t.Errorf("submit = %v; it repeats what WhatsApp wrote", err)
		}
	}
	h.submit(t, copyCodeTemplate())
	for _, r := range []reply{refusal(500, 2, 0), {status: 200, body: `{"success":false}`}} {
		h.answer(reply{}, r)
		if err := h.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"); !errors.Is(err, catalog.ErrWhatsAppUnreachable) {
			t.Errorf("%s: delete = %v; want ErrWhatsAppUnreachable", r.body, err)
		}
	}
	if diff := cmp.Diff([]string{"Login_WA en_US PENDING"}, h.states(t)); diff != "" {
		t.Errorf("after deletions that failed (-want +got):\n%s", diff)
	}
}

func TestOnlyWhoMayUseAnAccountIsAnswered(t *testing.T) {
	t.Parallel()
	h := newHolder(t, func(c *meta.Config, _ *meta.Deps) { c.Accounts[0].APIAccounts = []string{"acme"} })
	other := open(t, meta.Config{
		Name: "second", BaseURL: h.URL, Token: setting.NewSecret(accessKey), AppSecret: setting.NewSecret(appSecret),
		Accounts: []meta.Account{{ID: "555", Numbers: map[string]string{"4940123456": "777"}}},
	}, newDesk().deps())
	for _, c := range []struct {
		account, ref  string
		first, second bool
	}{
		{"acme", ref, true, false},
		{"acme", strings.ToUpper(ref), true, false},
		{"acme", waba, true, false},
		{"rival", waba, false, false},
		{"rival", "555", false, true},
		{"acme", "", false, false},
		{"acme", "nobody", false, false},
	} {
		if a, b := h.AnswersFor(c.account, c.ref), other.AnswersFor(c.account, c.ref); a != c.first || b != c.second {
			t.Errorf("AnswersFor(%q, %q) = %v, %v; want %v, %v", c.account, c.ref, a, b, c.first, c.second)
		}
	}
	all := func() []*meta.Carrier { return []*meta.Carrier{other, h.Carrier} }
	d := meta.NewDirectory(all, nil)
	noError(t, d.SubmitWhatsAppTemplate(t.Context(), "acme", ref, copyCodeTemplate()))
	if list, err := d.WhatsAppTemplates(t.Context(), "acme", waba); err != nil || len(list) != 1 {
		t.Errorf("list = %v, %v; want one template", list, err)
	}
	for _, err := range []error{
		d.DeleteWhatsAppTemplate(t.Context(), "rival", waba, "login_wa"),
		d.SubmitWhatsAppTemplate(t.Context(), "rival", waba, oneTapTemplate()),
		h.DeleteWhatsAppTemplate(t.Context(), "rival", waba, "login_wa"),
	} {
		if !errors.Is(err, catalog.ErrWhatsAppAccount) {
			t.Errorf("the rival got %v; want ErrWhatsAppAccount", err)
		}
	}
	_, err := d.WhatsAppTemplates(t.Context(), "rival", waba)
	if !errors.Is(err, catalog.ErrWhatsAppAccount) {
		t.Errorf("the rival got %v; want ErrWhatsAppAccount", err)
	}
	noError(t, d.DeleteWhatsAppTemplate(t.Context(), "acme", ref, "login_wa"))
	if _, err := meta.NewDirectory(all, elsewhere{}).WhatsAppTemplates(t.Context(), "acme", "nobody"); !errors.Is(err, errElsewhere) {
		t.Errorf("an account of nobody's = %v; want the question passed on", err)
	}
}

var errElsewhere = errors.New("asked elsewhere")

type elsewhere struct{ catalog.WhatsApp }

func (elsewhere) WhatsAppTemplates(context.Context, string, string) ([]catalog.WhatsAppTemplate, error) {
	return nil, errElsewhere
}
