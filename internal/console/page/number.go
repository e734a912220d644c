package page

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/phone"
)

// Keys seal numbers that a page carries masked; the keyring does.
type Keys interface {
	Index(parts ...string) [16]byte
	Seal(plain []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Shown is a number or address as the template "number" shows it.
type Shown struct {
	Text   string
	Mail   bool // an address: unlike a number it breaks where a line ends
	Masked bool
	Ref    string // what unmasking hands back, if Masked
	CSRF   string
	Base   string
}

// Number shows a recipient: in full to owners, masked to support with a button
// that unmasks it and is audited.
//
//	{{template "number" ($.Number .To)}}
func (v *View) Number(to phone.Recipient) Shown {
	if to.IsZero() {
		return Shown{Text: "–"}
	}
	if v.r.IsOwner() {
		return revealed(to)
	}
	_, mail := to.Address()
	sealed := v.r.kit.cfg.Keys.Seal([]byte(to.Reveal()), v.r.maskContext()...)
	return Shown{Text: to.String(), Mail: mail, Masked: true, Ref: base64.RawURLEncoding.EncodeToString(sealed), CSRF: v.CSRF, Base: v.Base}
}

// revealed shows a recipient in full: the console's one place where numbers leave
// their protection.
func revealed(to phone.Recipient) Shown {
	_, mail := to.Address()
	return Shown{Text: to.Reveal(), Mail: mail}
}

// maskContext binds a sealed number to the session that it was shown to.
func (r *Request) maskContext() []string {
	return []string{"console number", r.Account, string(r.Session.Hash[:])}
}

// RevealNumber returns a recipient as it may be written where no template is,
// such as in a CSV file: masked for support.
func (r *Request) RevealNumber(to phone.Recipient) string {
	if r.IsOwner() {
		return to.Reveal()
	}
	return to.String()
}

// unmask shows a number, after the audit list says who saw which.
func (k *Kit) unmask(w http.ResponseWriter, r *Request) error {
	sealed, err := base64.RawURLEncoding.DecodeString(r.Form().Value("ref"))
	if err != nil {
		return ErrNotFound
	}
	plain, err := k.cfg.Keys.Open(sealed, r.maskContext()...)
	if err != nil {
		return ErrNotFound
	}
	to, err := phone.ParseRecipient(string(plain))
	if err != nil {
		return ErrNotFound
	}
	key := k.cfg.Keys.Index("recipient", r.Account, to.Key()) // as the list of limits and erasures names it
	err = k.cfg.Audit.Append(r.Context(), audit.Entry{
		Action: audit.ActionUnmask, Actor: r.Session.Actor(), Account: r.Account, Subject: hex.EncodeToString(key[:]),
	})
	if err != nil {
		return fmt.Errorf("audit unmasking: %w", err)
	}
	shown := revealed(to)
	if r.Partial() {
		return r.Fragment(w, http.StatusOK, "unmasked.html", "number-alone", shown)
	}
	return r.Render(w, http.StatusOK, "unmasked.html", shown)
}
