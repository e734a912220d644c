package desk_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
)

func TestSettingsAreSavedAndRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	for _, set := range account.Common() {
		owner.get(http.StatusOK, "/keys/settings").has(`name="` + set.Key + `"`)
	}
	pairs := func(change map[string]string) []string {
		var all []string
		for _, set := range account.Common() {
			all = append(all, set.Key, change[set.Key])
		}
		return all
	}
	got := s.audited(func() {
		owner.change(http.StatusSeeOther, "/keys/settings", pairs(map[string]string{"timezone": "Europe/Berlin", "sender": "ACME"})...)
	})
	if got != "account.set sender timezone" {
		t.Errorf("audited: %q", got)
	}
	a, err := s.store.Account(t.Context(), acme)
	if err != nil || a.Settings["timezone"] != "Europe/Berlin" || a.Settings["sender"] != "ACME" || len(a.Settings) != 2 {
		t.Errorf("settings are %v, %v", a.Settings, err)
	}
	owner.get(http.StatusOK, "/keys/settings").has(`value="Europe/Berlin"`)
	support.get(http.StatusOK, "/keys/settings").has("Europe/Berlin", "default").lacks("<input type=\"text\"", "Save")
	refused := owner.change(http.StatusUnprocessableEntity, "/keys/settings", pairs(map[string]string{"timezone": "Mars/Olympus", "sender": "ACME2"})...)
	if got := refused.problem("timezone"); got != "timezone: expected a name of the time zone database, such as Europe/Berlin." {
		t.Errorf("refused with %q", got)
	}
	refused.has("Mars/Olympus", "ACME2")
	got = s.audited(func() {
		owner.change(http.StatusSeeOther, "/keys/settings", pairs(map[string]string{"timezone": "Europe/Berlin", "sender": "ACME"})...)
	})
	if got != "" {
		t.Errorf("nothing changed, and audited is %q", got)
	}
	owner.change(http.StatusSeeOther, "/keys/settings", pairs(map[string]string{"timezone": "Europe/Berlin"})...)
	if a, err = s.store.Account(t.Context(), acme); err != nil || a.Settings["sender"] != "" {
		t.Errorf("settings are %v, %v; want the sender's default again", a.Settings, err)
	}
}

func TestOwnersSeeWhatTheOperatorSetAndCannotChangeIt(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *desk.Config) {
		c.Reserved = func(a account.Account, key string) bool {
			return key == account.SettingCaller || key == account.SettingSender && a.Settings[account.SettingCaller] != ""
		}
	})
	owner, support := s.as(access.Owner), s.as(access.Support)
	owner.get(http.StatusOK, "/keys/settings").has(`name="sender"`, "Set by whoever runs the server", "<dt>caller</dt>").lacks(`name="caller"`)
	form := owner.get(http.StatusOK, "/keys/settings").filledForm("/keys/settings")
	set := map[string]string{account.SettingCaller: "4915100000001", account.SettingSender: "ACME"}
	s.must(s.store.SetSettings(t.Context(), acme, set))

	page := owner.get(http.StatusOK, "/keys/settings").has("<dt>sender</dt>", "<dd>ACME</dd>", "<dd>4915100000001</dd>").lacks(`name="sender"`, `name="caller"`)
	support.get(http.StatusOK, "/keys/settings").has("<dd>ACME</dd>", "<dd>4915100000001</dd>")
	for key := range set {
		for _, value := range []string{"", "1234"} {
			sent := page.filledForm("/keys/settings")
			sent.Set(key, value)
			sent.Set(account.SettingTimezone, "Europe/Berlin")
			var a answer
			if got := s.audited(func() { a = owner.do(http.MethodPost, "/keys/settings", sent) }); got != "" || a.status != http.StatusUnprocessableEntity {
				t.Errorf("%s=%q is answered by %d and audited as %q, want 422 and nothing", key, value, a.status, got)
			}
			a.has(key+" is set by whoever runs the server.", `value="Europe/Berlin"`, "<dd>ACME</dd>", "<dd>4915100000001</dd>")
		}
	}
	// A form from before the operator took the sender away.
	form.Set(account.SettingSender, "MINE")
	if a := owner.do(http.MethodPost, "/keys/settings", form); a.status != http.StatusUnprocessableEntity {
		t.Errorf("the older form is answered by %d", a.status)
	}
	if a, err := s.store.Account(t.Context(), acme); err != nil || len(a.Settings) != 2 || a.Settings["sender"] != "ACME" || a.Settings["caller"] != "4915100000001" {
		t.Errorf("settings are %v, %v; want them as the operator set them", a.Settings, err)
	}
	sent := page.filledForm("/keys/settings")
	sent.Set(account.SettingTimezone, "Europe/Berlin")
	sent.Set(account.SettingSender, "ACME") // as it is
	if got := s.audited(func() { owner.do(http.MethodPost, "/keys/settings", sent) }); got != "account.set timezone" {
		t.Errorf("audited: %q", got)
	}
}
