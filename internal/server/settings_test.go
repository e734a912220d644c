package server_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/server"
)

func TestNoOwnerLiftsWhatTheOperatorCapped(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	kept := func() (set map[string]string) {
		beside(t, dir, func(d *server.Deployment) {
			a, err := d.Store.Account(t.Context(), "default")
			if err != nil {
				t.Fatal(err)
			}
			set = a.Settings
		})
		return set
	}
	p := r.enter()
	p.open("/console/keys/settings")
	if !strings.Contains(p.body, `name="octopush.sender"`) {
		t.Errorf("owners cannot choose the sender:\n%s", p.body)
	}
	// Nothing set is a bound too.
	for key, loose := range map[string]string{
		"octopush.max_validity_period": "10000000", "octopush.choose_sender": "true", "octopush.recipient_ip": "if_present",
	} {
		p.open("/console/keys/settings")
		p.submit("/keys/settings", key, loose)
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, key+" is set by whoever runs the server.") {
			t.Errorf("%s=%s is answered by %d\n%s", key, loose, p.status, p.body)
		}
	}
	capped := map[string]string{
		"octopush.max_validity_period": "120", "octopush.choose_sender": "false", "octopush.recipient_ip": "required", "octopush.sender": "ACME",
	}
	beside(t, dir, func(d *server.Deployment) {
		for key, value := range capped {
			if err := server.AccountSettings().Validate(key, value); err != nil {
				t.Error(err)
			}
		}
		if err := d.Store.SetSettings(t.Context(), "default", maps.Clone(capped)); err != nil {
			t.Fatal(err)
		}
	})
	for key, value := range capped {
		p.open("/console/keys/settings")
		if strings.Contains(p.body, `name="`+key+`"`) || !strings.Contains(p.body, "<dd>"+value+"</dd>") {
			t.Errorf("the page does not show %s=%s as the operator's:\n%s", key, value, p.body)
		}
		p.submit("/keys/settings", key, "", account.SettingCountry, "GB")
		if p.status != http.StatusUnprocessableEntity {
			t.Errorf("the default of %s is answered by %d\n%s", key, p.status, p.body)
		}
	}
	if got := kept(); !maps.Equal(got, capped) {
		t.Errorf("settings are %v, want %v", got, capped)
	}
	p.open("/console/keys/settings")
	p.submit("/keys/settings", account.SettingCountry, "GB", "octopush.validity_period", "60")
	if got := kept(); got[account.SettingCountry] != "GB" || got["octopush.validity_period"] != "60" || len(got) != len(capped)+2 {
		t.Errorf("settings are %v, want country GB, 60 s and what the operator set", got)
	}
}
