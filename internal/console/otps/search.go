package otps

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
)

// Addresses of searches hold no personal data (P-02): a recipient is there as
// its keyed hash, a reference sealed. So forms are posted, and lead to an
// address that can be kept.
const (
	paramRecipient = "recipient"
	paramReference = "sealed"
	paramCursor    = "after"
)

// inputForm is how browsers send a time, in the account's zone.
const inputForm = "2006-01-02T15:04"

// plainFields are those that stand in addresses as they were typed.
func plainFields() []string { return []string{"id", "state", "channel", "carrier", "from", "to"} }

func referenceContext(r *page.Request) []string { return []string{"console reference", r.Account} }

// search takes the form.
func (g *Group) search(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	q := url.Values{}
	for _, name := range plainFields() {
		if v := f.Value(name); v != "" {
			q.Set(name, v)
		}
	}
	if typed := f.Value("number"); typed != "" {
		to, err := g.recipient(r, typed)
		if err != nil {
			f.Refuse("number", "This is neither a phone number nor an e-mail address.")
		} else {
			key := g.cfg.Reports.RecipientKey(r.Account, to)
			q.Set(paramRecipient, hex.EncodeToString(key[:]))
		}
	}
	if v := f.Value("reference"); v != "" {
		q.Set(paramReference, base64.RawURLEncoding.EncodeToString(g.cfg.Keys.Seal([]byte(v), referenceContext(r)...)))
	}
	if g.query(r, q); !f.OK() {
		return r.Render(w, http.StatusUnprocessableEntity, "search.html", results{})
	}
	target := Path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	http.Redirect(w, r.Request, strings.TrimSuffix(r.URL.Path, Path)+target, http.StatusSeeOther)
	return nil
}

// recipient reads a number as people write it. What APIs take as it is written
// is searched for as it is written.
func (g *Group) recipient(r *page.Request, typed string) (phone.Recipient, error) {
	if strings.Contains(typed, "@") {
		a, err := phone.ParseAddress(typed)
		return a.Recipient(), err
	}
	if national := !strings.HasPrefix(typed, "+") && !strings.HasPrefix(typed, "00"); national {
		a, err := g.cfg.Accounts.Account(r.Context(), r.Account)
		if err != nil {
			return phone.Recipient{}, err //nolint:wrapcheck // only asked whether there is one
		}
		if n, err := phone.ResolveWithDefault(typed, a.Setting(account.SettingCountry)); err == nil {
			return n.Recipient(), nil
		}
	}
	n, err := phone.Syntax(typed)
	return n.Recipient(), err
}

// results are what the page of a search shows.
type results struct {
	report.Page

	Asked     bool   // whether anything was searched for
	Recipient bool   // whether by number
	Older     string // the address of the next page, "" for none
}

// list shows what an address searches for.
func (g *Group) list(w http.ResponseWriter, r *page.Request) error {
	params := r.URL.Query()
	q := g.query(r, params)
	f := r.Form()
	for _, name := range plainFields() {
		f.Set(name, params.Get(name))
	}
	f.Set("reference", q.Reference)
	if !f.OK() {
		return r.Render(w, http.StatusUnprocessableEntity, "search.html", results{})
	}
	found, err := g.cfg.Reports.Search(r.Context(), q)
	if errors.Is(err, report.ErrCursor) {
		return page.ErrNotFound
	}
	if err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	for i := range found.OTPs {
		o := &found.OTPs[i]
		o.Reference = ownReference(*o)
		if !r.IsOwner() {
			*o = o.Masked() // the number is too
		}
	}
	res := results{Page: found, Asked: len(params) > 0, Recipient: params.Has(paramRecipient)}
	if found.Next != "" {
		params.Set(paramCursor, found.Next)
		res.Older = r.URL.Path + "?" + params.Encode()
	}
	return r.Render(w, http.StatusOK, "search.html", res)
}

// query reads an address's parameters; what is wrong with them is refused in
// the form.
func (g *Group) query(r *page.Request, params url.Values) report.Query {
	f := r.Form()
	q := report.Query{Account: r.Account, ID: params.Get("id"), Carrier: params.Get("carrier"), Cursor: params.Get(paramCursor)}
	if text := params.Get(paramRecipient); text != "" {
		key, err := hex.DecodeString(text)
		if err != nil || len(key) != len(q.RecipientKey) {
			f.Refuse("number", "Type the number again.")
		} else {
			q.RecipientKey = [16]byte(key)
		}
	}
	if text := params.Get(paramReference); text != "" {
		sealed, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil {
			sealed, err = g.cfg.Keys.Open(sealed, referenceContext(r)...)
		}
		if err != nil {
			f.Refuse("reference", "Type the reference again.")
		}
		q.Reference = string(sealed)
	}
	if text := params.Get("state"); text != "" {
		for _, s := range states() {
			if s.String() == text {
				q.State = s
			}
		}
		if q.State == 0 {
			f.Refuse("state", "Choose one of the states.")
		}
	}
	if text := params.Get("channel"); text != "" {
		if q.Channel = message.Channel(text); !q.Channel.Known() {
			f.Refuse("channel", "Choose one of the channels.")
		}
	}
	zone := r.Zone()
	for name, into := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		text := params.Get(name)
		if text == "" {
			continue
		}
		at, err := time.ParseInLocation(inputForm, text, zone)
		if err != nil {
			f.Refuse(name, "Give a date and a time, such as 2026-01-31T18:00.")
		}
		*into = at
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		f.Refuse("to", "This is not after the beginning.")
	}
	return q
}

func states() []otp.State {
	return []otp.State{otp.Active, otp.Verified, otp.Expired, otp.TooManyAttempts}
}
