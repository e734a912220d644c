package desk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console/page"
)

// maxKeyName is how many characters a key's name can have here.
const maxKeyName = 100

// keyRow is a key in the list.
type keyRow struct {
	account.Key

	State, Tone string
	Usable      bool
}

func (g *Group) listKeys(w http.ResponseWriter, r *page.Request) error {
	return g.renderKeys(w, r, http.StatusOK)
}

func (g *Group) renderKeys(w http.ResponseWriter, r *page.Request, status int) error {
	all, err := g.cfg.Accounts.Keys(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	now := r.Now()
	rows := make([]keyRow, 0, len(all))
	for _, k := range slices.Backward(all) {
		row := keyRow{Key: k, State: "in use", Tone: "good", Usable: k.Usable(now)}
		switch {
		case !k.Revoked.IsZero():
			row.State, row.Tone = "revoked", ""
		case !row.Usable:
			row.State, row.Tone = "expired", ""
		}
		if !r.IsOwner() {
			row.Login = "" // it may be somebody's address
		}
		rows = append(rows, row)
	}
	return r.Render(w, status, "keys.html", partOf(r, rows, func(row keyRow) string { return row.ID }))
}

// madeKey shows a key, once.
type madeKey struct{ ID, Name, Secret string }

func (g *Group) createKey(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	draft := account.Key{Account: r.Account, Name: f.Value("name"), Login: f.Value("login"), Throttle: f.Has("throttle")}
	if n := utf8.RuneCountInString(draft.Name); n == 0 || n > maxKeyName || strings.ContainsFunc(draft.Name, unicode.IsControl) {
		f.Refuse("name", "A key has a name of 1 to 100 characters, so that somebody knows later what it is for.")
	}
	secret, key, err := account.NewKey(g.cfg.Random, draft)
	switch {
	case errors.Is(err, account.ErrLogin):
		f.Refuse("login", "A login has at most 254 visible ASCII characters, without blanks.")
	case err != nil:
		return fmt.Errorf("make key: %w", err)
	}
	if f.OK() {
		err := g.audited(r, audit.ActionKeyCreate, key.ID, func() error { return g.cfg.Accounts.CreateKey(r.Context(), key) })
		if err != nil {
			return fmt.Errorf("create key: %w", err)
		}
		return r.Render(w, http.StatusOK, "key.html", madeKey{key.ID, key.Name, secret.Reveal()})
	}
	return g.renderKeys(w, r, http.StatusUnprocessableEntity)
}

func (g *Group) revokeKey(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Accounts.Keys(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list keys: %w", err)
	}
	id := r.PathValue("id")
	if !slices.ContainsFunc(all, func(k account.Key) bool { return k.ID == id }) {
		return page.ErrNotFound
	}
	if err := g.audited(r, audit.ActionKeyRevoke, id, func() error { return g.cfg.Accounts.RevokeKey(r.Context(), id) }); err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return r.Redirect(w, "/keys", page.Good("The key is refused from now on."))
}
