package desk

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"

	"github.com/countersign/countersign/internal/console/page"
)

// shownField is the hidden field in which a form that changes something says
// what it showed: see the template "shown".
const shownField = "shown"

// edit is a form that changes what is stored. What its sender did not touch it
// sends back as it was shown: saved after somebody else's change it would undo
// that, and the audit list would name the wrong person for it.
type edit struct {
	fill func(*page.Form)                // puts what is stored into a form
	body func(*page.Form) map[string]any // what a form stands for
}

// stored is what the form stands for if it shows what is stored and nobody
// touches it.
func (e edit) stored() (string, error) {
	f := &page.Form{}
	e.fill(f)
	return encode(e.body(f))
}

// show puts what is stored into the form, which says so from then on.
func (g *Group) show(r *page.Request, e edit) error {
	stored, err := e.stored()
	if err != nil {
		return err
	}
	e.fill(r.Form())
	r.Form().Set(shownField, g.sealShown(r, stored))
	return nil
}

// current reports whether the form showed what is still stored, or would change
// nothing of it: a form may be sent twice. Otherwise it is refused, with all that
// was typed in it; sent once more it is current, for its sender knows by then.
//
// Between this look and the change another change has a moment to slip in, which
// this one then replaces: the APIs that make changes take no condition.
func (g *Group) current(r *page.Request, e edit) (bool, error) {
	stored, err := e.stored()
	if err != nil {
		return false, err
	}
	typed, err := encode(e.body(r.Form()))
	if err != nil {
		return false, err
	}
	if typed == stored || g.showed(r, stored) {
		return true, nil
	}
	r.Form().Refuse(shownField, "Somebody changed this meanwhile. Nothing was saved.")
	r.Form().Set(shownField, g.sealShown(r, stored))
	return false, nil
}

// sealShown is how a form says what it showed. Sealed, it cannot be made up, and
// tells nothing of what a URL hides in it.
func (g *Group) sealShown(r *page.Request, stored string) string {
	sum := sha256.Sum256([]byte(stored))
	return base64.RawURLEncoding.EncodeToString(g.cfg.Keys.Seal(sum[:], "console form", r.Account, r.PathValue("id")))
}

// showed reports whether the form says that it showed what is stored.
func (g *Group) showed(r *page.Request, stored string) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(r.Form().Value(shownField))
	if err != nil {
		return false
	}
	shown, err := g.cfg.Keys.Open(sealed, "console form", r.Account, r.PathValue("id"))
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(stored))
	return subtle.ConstantTimeCompare(shown, sum[:]) == 1
}
