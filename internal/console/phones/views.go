package phones

import (
	"encoding/json"
	"net/http"

	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/phone"
)

// wallPage is the page of all phones.
type wallPage struct {
	Phones []Phone
	Alone  bool // a test code can be sent
	Ways   []page.Option
	Setup  []Exchange // after a set-up that failed
}

// exampleNumber stands in the form for a test code to begin with.
const exampleNumber = "+4915112345678"

func (g *Group) overview(w http.ResponseWriter, r *page.Request) error {
	r.Form().Set("to", exampleNumber)
	return g.renderWall(w, r, http.StatusOK, nil)
}

func (g *Group) renderWall(w http.ResponseWriter, r *page.Request, status int, failed []Exchange) error {
	all, err := g.wallOf(r.Context(), r.Account, r.Now())
	if err != nil {
		return err
	}
	return r.Render(w, status, "phones.html", wallPage{Phones: all, Alone: g.cfg.Alone(), Ways: wayOptions(), Setup: failed})
}

// wall is the part of the page that is live.
func (g *Group) wall(w http.ResponseWriter, r *page.Request) error {
	all, err := g.wallOf(r.Context(), r.Account, r.Now())
	if err != nil {
		return err
	}
	return r.Fragment(w, http.StatusOK, "phones.html", "wall", wallPage{Phones: all, Alone: g.cfg.Alone()})
}

// phonePage is the page of one phone.
type phonePage struct {
	Phone Phone
	Round *round // nil if the page is not about one OTP
	Ways  []page.Option
	Alone bool
}

// one shows a phone, and with ?otp= the round of an OTP that was sent to it.
func (g *Group) one(w http.ResponseWriter, r *page.Request) error {
	key, ok := parseKey(r.PathValue("key"))
	if !ok {
		return page.ErrNotFound
	}
	return g.render(w, r, http.StatusOK, key)
}

func (g *Group) render(w http.ResponseWriter, r *page.Request, status int, key [16]byte) error {
	p, err := g.phoneOf(r.Context(), r.Account, key, r.Now())
	if err != nil {
		return err
	}
	data := phonePage{Phone: p, Ways: wayOptions(), Alone: g.cfg.Alone()}
	id, via := r.URL.Query().Get("otp"), r.URL.Query().Get("via")
	if id != "" {
		if data.Round, err = g.roundOf(r, key, id, via); err != nil {
			return err
		}
		data.Phone.To = data.Round.To
	}
	if data.Phone.To.IsZero() {
		return page.ErrNotFound // nothing came to such a phone
	}
	if r.Form().Raw("to") == "" {
		r.Form().Set("to", data.Phone.To.Reveal()) // only owners are shown the form
	}
	return r.Render(w, status, "phone.html", data)
}

// screen is the part of a phone's page that is live.
func (g *Group) screen(w http.ResponseWriter, r *page.Request) error {
	key, ok := parseKey(r.PathValue("key"))
	if !ok {
		return page.ErrNotFound
	}
	p, err := g.phoneOf(r.Context(), r.Account, key, r.Now())
	if err != nil {
		return err
	}
	if p.To.IsZero() { // nothing came yet: the page's first form says to whom
		return r.Fragment(w, http.StatusOK, "phone.html", "waiting", p)
	}
	return r.Fragment(w, http.StatusOK, "phone.html", "phone", p)
}

// parseTo reads a phone number.
func parseTo(text string) (phone.Recipient, bool) {
	n, err := phone.Syntax(text)
	return n.Recipient(), err == nil
}

// memberOf reads a string member of a JSON object.
func memberOf(answer []byte, name string) string {
	var all map[string]any
	if json.Unmarshal(answer, &all) != nil {
		return ""
	}
	text, _ := all[name].(string)
	return text
}
