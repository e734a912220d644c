package phones

import (
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/phone"
)

// The wall shows the phones that got the newest messages only. From here people
// come to every other one: by its number, or from an OTP that was sent to it.

// open leads to the phone of a number or address. The form is posted, as numbers
// are in no address of a page (P-02).
func (g *Group) open(w http.ResponseWriter, r *page.Request) error {
	r.Form().Set("to", exampleNumber)
	to, ok := parseRecipient(r.Form().Value("number"))
	if !ok {
		r.Form().Refuse("number", "This is neither a phone number with its country code, such as +49 151 12345678, nor an e-mail address.")
		return g.renderWall(w, r, http.StatusUnprocessableEntity, nil)
	}
	key := g.cfg.Inbox.KeyOf(to)
	found, err := g.cfg.Inbox.List(r.Context(), sandbox.Query{Account: r.Account, Key: key, Limit: 1})
	if err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	if len(found) == 0 {
		r.Form().Refuse("number", "Nothing came to it in the last 24 hours.")
		return g.renderWall(w, r, http.StatusUnprocessableEntity, nil)
	}
	return r.Redirect(w, Path+"/"+formatKey(key), page.Flash{})
}

// openOf leads to the phone that ?otp= was sent to.
func (g *Group) openOf(w http.ResponseWriter, r *page.Request) error {
	id := r.URL.Query().Get("otp")
	if id == "" { // the address of the form that came back
		return r.Redirect(w, Path, page.Flash{})
	}
	found, err := g.cfg.Inbox.List(r.Context(), sandbox.Query{Account: r.Account, OTPID: id, Limit: 1})
	if err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	if len(found) == 0 {
		return r.Redirect(w, Path, page.Bad("No message of this OTP is on a phone: none came, or it came more than 24 hours ago."))
	}
	return r.Redirect(w, Path+"/"+formatKey(found[0].Key), page.Flash{})
}

// parseRecipient reads a number or an e-mail address.
func parseRecipient(text string) (phone.Recipient, bool) {
	if strings.Contains(text, "@") {
		a, err := phone.ParseAddress(text)
		return a.Recipient(), err == nil
	}
	return parseTo(text)
}
