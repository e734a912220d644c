package desk

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/page"
)

// setting is a choice for the account as the page shows it.
type setting struct {
	account.Setting

	Value string // "" while the default holds
}

// settingsPage is what the page of the settings shows.
type settingsPage struct {
	Open     []setting // the owners'
	Reserved []setting // the operator's
}

func (g *Group) showSettings(w http.ResponseWriter, r *page.Request) error {
	a, err := g.cfg.Accounts.Account(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	if err := g.show(r, g.settingsEdit(a)); err != nil {
		return err
	}
	return g.renderSettings(w, r, http.StatusOK, a)
}

// settingsEdit is the form that changes an account's settings.
func (g *Group) settingsEdit(a account.Account) edit {
	return edit{
		func(f *page.Form) {
			for _, s := range g.openSettings(a) {
				f.Set(s.Key, a.Settings[s.Key])
			}
		},
		func(f *page.Form) map[string]any {
			all := map[string]any{}
			for _, s := range g.openSettings(a) {
				all[s.Key] = a.Settings[s.Key] // of a form that does not have it
				if f.Has(s.Key) {
					all[s.Key] = f.Raw(s.Key)
				}
			}
			return all
		},
	}
}

// openSettings are those that the account's owners change.
func (g *Group) openSettings(a account.Account) account.Settings {
	var open account.Settings
	for _, s := range g.cfg.Settings {
		if !g.cfg.Reserved(a, s.Key) {
			open = append(open, s)
		}
	}
	return open
}

func (g *Group) renderSettings(w http.ResponseWriter, r *page.Request, status int, a account.Account) error {
	var p settingsPage
	for _, s := range g.cfg.Settings {
		if g.cfg.Reserved(a, s.Key) {
			p.Reserved = append(p.Reserved, setting{s, a.Settings[s.Key]}) // whatever was typed
		} else {
			p.Open = append(p.Open, setting{s, r.Form().Raw(s.Key)})
		}
	}
	return r.Render(w, status, "settings.html", p)
}

func (g *Group) changeSettings(w http.ResponseWriter, r *page.Request) error {
	a, err := g.cfg.Accounts.Account(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("read account: %w", err)
	}
	ok, err := g.current(r, g.settingsEdit(a))
	if err != nil {
		return err
	}
	if !ok {
		return g.renderSettings(w, r, http.StatusUnprocessableEntity, a)
	}
	f := r.Form()
	changes := map[string]string{}
	var names []string
	for _, s := range g.cfg.Settings {
		value := f.Raw(s.Key)
		if !f.Has(s.Key) || value == a.Settings[s.Key] {
			continue
		}
		switch {
		case g.cfg.Reserved(a, s.Key):
			f.Refuse("", s.Key+" is set by whoever runs the server.")
		case g.cfg.Settings.Validate(s.Key, value) != nil:
			f.Refuse(s.Key, s.Key+": expected "+s.Expected+".")
		}
		changes[s.Key] = value
		names = append(names, s.Key)
	}
	if !f.OK() {
		return g.renderSettings(w, r, http.StatusUnprocessableEntity, a)
	}
	if len(changes) == 0 {
		return r.Redirect(w, "/keys/settings", page.Good("Everything was so already."))
	}
	err = g.audited(r, audit.ActionSettings, strings.Join(names, " "), func() error {
		return g.cfg.Accounts.SetSettings(r.Context(), r.Account, changes)
	})
	if err != nil {
		return fmt.Errorf("change settings: %w", err)
	}
	return r.Redirect(w, "/keys/settings", page.Good("The settings were saved."))
}
