package desk_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/message"
)

func TestAKeyIsShownOnceAndRefusedAfterItsRevocation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	owner.get(http.StatusOK, "/keys").has("There is no key yet.")
	var a answer
	created := s.audited(func() {
		a = owner.post(http.StatusOK, "/keys", "name", "shop <1>", "login", "ops@example.com", "throttle", "yes")
	})
	shown := a.testid("api-key")
	id, ok := account.ParseSecret(shown)
	if !ok || created != "key.create "+id {
		t.Fatalf("the page shows %q, audited %q", shown, created)
	}
	keys := account.NewAuthenticator(s.store, s.wall.Now)
	who, err := keys.Authenticate(t.Context(), shown)
	if err != nil || who.Account.Name != acme || who.Key.Name != "shop <1>" || who.Key.Login != "ops@example.com" || !who.Key.Throttle {
		t.Errorf("the key is %+v, %v", who, err)
	}
	owner.get(http.StatusOK, "/keys").has("shop &lt;1&gt;", id, "ops@example.com", "100 a minute", "in use").lacks(shown)
	support.get(http.StatusOK, "/keys").has("shop &lt;1&gt;", id).lacks(shown, "ops@example.com", "Revoke", "New key")
	for _, e := range s.entries() {
		if strings.Contains(e, "ops@") || strings.Contains(e, shown) {
			t.Errorf("the audit list has %q", e)
		}
	}
	if got := s.audited(func() { owner.post(http.StatusSeeOther, "/keys/revoke/"+id) }); got != "key.revoke "+id {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusOK, "/keys").has("revoked").lacks("Revoke…")
	s.wall.Add(time.Second)
	if _, err := keys.Authenticate(t.Context(), shown); err == nil {
		t.Error("the revoked key is accepted")
	}

	_, foreign, err := account.NewKey(zeros{}, account.Key{Account: other, Name: "theirs", Login: "theirs"})
	s.must(err)
	s.must(s.store.CreateKey(t.Context(), foreign))
	owner.get(http.StatusOK, "/keys").lacks("theirs")
	owner.post(http.StatusNotFound, "/keys/revoke/"+foreign.ID)
	for _, c := range []struct{ name, login, field, problem string }{
		{"", "", "name", "A key has a name of 1 to 100 characters, so that somebody knows later what it is for."},
		{strings.Repeat("n", 101), "", "name", "A key has a name of 1 to 100 characters, so that somebody knows later what it is for."},
		{"n", "two words", "login", "A login has at most 254 visible ASCII characters, without blanks."},
	} {
		a := owner.post(http.StatusUnprocessableEntity, "/keys", "name", c.name, "login", c.login)
		if got := a.problem(c.field); got != c.problem {
			t.Errorf("%+v: refused with %q", c, got)
		}
		a.lacks("otp_live_")
	}
	if all, err := s.store.Keys(t.Context(), acme); err != nil || len(all) != 1 {
		t.Errorf("there are %d keys, %v", len(all), err)
	}
	// What another account has, nobody learns here.
	taken := owner.post(http.StatusOK, "/keys", "name", "n", "login", "theirs").testid("api-key")
	if who, err := keys.AuthenticateLogin(t.Context(), "theirs", taken); err != nil || who.Account.Name != acme {
		t.Errorf("a key with another account's login is of %q, %v", who.Account.Name, err)
	}
}

// zeros is no randomness.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestOperationShowsCarriersQueuesAndNodes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	support := s.as(access.Support)
	support.get(http.StatusOK, "/operation").has("Not conformant: a notice.", "compat", "n1", "this one", "n2", "silent")
	at := s.wall.Now()
	s.mu.Lock()
	s.carriers = []desk.Carrier{
		{Name: "good", Type: "twilio", Channels: []message.Channel{message.SMS}, Circuit: "closed", Busy: 3},
		{
			Name: "bad", Type: "smpp", Channels: []message.Channel{message.SMS}, Circuit: "open", Since: at, Probe: at.Add(time.Minute), LastError: "88: Throttled <now>", LastAt: at,
			Links: []desk.Link{{Name: "bind-1", Up: true}, {Name: "bind-2", LastError: "refused"}},
		},
		{Name: "worse", Type: "meta", Circuit: "operator", LastError: "190: token", LastAt: at},
	}
	s.mu.Unlock()
	for range 3 {
		s.Send(acme)
	}
	s.wall.Add(90 * time.Second)
	a := support.get(http.StatusOK, "/operation").has("88: Throttled &lt;now&gt;", "bind-1 up", "bind-2 down", "refused", "the operator must act", "2026-01-01 00:01:00", "1m30s")
	if got := a.testid("queue-deliveries"); got != "3" {
		t.Errorf("%s deliveries wait, want 3", got)
	}
	if got := len(regexp.MustCompile(`data-testid="carrier"`).FindAllString(a.body, -1)); got != 3 {
		t.Errorf("%d carriers, want 3", got)
	}
}

func TestWhatsAppTemplatesShowTheirState(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	support.get(http.StatusOK, "/templates/whatsapp").has("No WhatsApp account is named").lacks("Name it")
	owner.post(http.StatusNotFound, "/templates/whatsapp", "name", "n", "language", "en", "otpType", "COPY_CODE")
	if got := owner.post(http.StatusUnprocessableEntity, "/templates/whatsapp/account", "whatsAppAccountId", "a b").problem("whatsAppAccountId"); !strings.HasPrefix(got, "The id must have 1 to 64 letters A to Z, digits and -.") {
		t.Errorf("refused with %q", got)
	}
	if got := s.audited(func() { owner.post(http.StatusSeeOther, "/templates/whatsapp/account", "whatsAppAccountId", "waba-1") }); got != "whatsapp.account waba-1" {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusOK, "/templates/whatsapp").has("waba-1", "There is none yet.")
	for _, c := range []struct {
		field, problem string
		pairs          []string
	}{
		{"name", "The name must not be blank.", []string{"language", "en", "otpType", "COPY_CODE"}},
		{"name", "The name must have 1 to 512 letters A to Z, digits and _", []string{"name", "no blanks", "language", "en", "otpType", "COPY_CODE"}},
		{"codeExpirationTime", "The number of minutes must be less than or equal to 90.", []string{"name", "n", "language", "en", "otpType", "COPY_CODE", "codeExpirationTime", "91"}},
		{"packageName", "The package must not be blank.", []string{"name", "n", "language", "en", "otpType", "ONE_TAP", "signatureHash", "abcdefghijk"}},
	} {
		if got := owner.post(http.StatusUnprocessableEntity, "/templates/whatsapp", c.pairs...).problem(c.field); !strings.HasPrefix(got, c.problem) {
			t.Errorf("%v: refused with %q", c.pairs, got)
		}
	}
	got := s.audited(func() {
		owner.post(http.StatusSeeOther, "/templates/whatsapp", "name", "login", "language", "en", "otpType", "COPY_CODE", "codeExpirationTime", "5", "addSecurityRecommendation", "yes")
		owner.post(http.StatusSeeOther, "/templates/whatsapp", "name", "bad_rejected", "language", "de", "otpType", "COPY_CODE")
	})
	if got != "whatsapp.template.submit login en\nwhatsapp.template.submit bad_rejected de" {
		t.Errorf("audited: %q", got)
	}
	for range 3 { // the double moves one state at a time
		s.wall.Add(3 * time.Second)
		owner.get(http.StatusOK, "/templates/whatsapp")
	}
	owner.get(http.StatusOK, "/templates/whatsapp").has("APPROVED", "It can be sent.", "REJECTED", "*123456* is your verification code.", "expires in 5 minutes")
	support.get(http.StatusOK, "/templates/whatsapp").has("APPROVED").lacks("Hand in for review", "Delete")
	owner.get(http.StatusOK, "/plans/profiles/new").has(`value="WHATSAPP en login"`)

	s.whatsApp.down.Store(true)
	owner.get(http.StatusOK, "/templates/whatsapp").has("WhatsApp could not be asked")
	owner.get(http.StatusOK, "/plans/profiles/new").has("WhatsApp could not be asked")
	owner.post(http.StatusUnprocessableEntity, "/plans/profiles", "name", "p", "link", "WHATSAPP en login").has("WhatsApp could not be asked", `value="WHATSAPP en login" checked`)
	s.whatsApp.down.Store(false)
	if got := s.audited(func() { owner.post(http.StatusSeeOther, "/templates/whatsapp/delete", "name", "login") }); got != "whatsapp.template.delete login" {
		t.Errorf("audited: %q", got)
	}
	owner.get(http.StatusOK, "/templates/whatsapp").has("DELETION_PENDING")
}
