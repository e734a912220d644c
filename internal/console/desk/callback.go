package desk

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/report"
)

// lettersShown is how many callbacks a page lists.
const lettersShown = 50

// letter is a callback in a list.
type letter struct{ callback.Letter }

// Last is what the last attempt came to.
func (l letter) Last() string { return report.Answer(l.LastStatus, l.LastProblem) }

// callbackPage is the page of one configuration.
type callbackPage struct {
	config

	Secret, Previous string // fingerprints
	PreviousUntil    time.Time
	ShowsDead        bool
	Letters          []letter
	Next             string // query of the next page, "" if there is none
	Test             *testResult
}

// testResult is what a test event came to.
type testResult struct {
	Received bool
	Said     string
	Took     time.Duration
}

func (g *Group) showCallback(w http.ResponseWriter, r *page.Request) error {
	return g.renderCallback(w, r, http.StatusOK, nil)
}

func (g *Group) renderCallback(w http.ResponseWriter, r *page.Request, status int, test *testResult) error {
	c, err := g.config(r)
	if err != nil {
		return err
	}
	data := callbackPage{config: c, Test: test}
	signing, err := g.signing(r, c.ID)
	if err != nil {
		return err
	}
	data.Secret, data.PreviousUntil = fingerprint(signing.Secret), signing.PreviousUntil
	if !signing.Previous.IsZero() {
		data.Previous = fingerprint(signing.Previous)
	}
	q := r.URL.Query()
	data.ShowsDead = q.Get("show") == "dead" || q.Get("show") == "" && c.Dead > 0
	after, err := g.position(r, q.Get("after"))
	if err != nil {
		return err
	}
	found, next, err := g.cfg.Letters.ConfigLetters(r.Context(), callback.Letters{
		Account: r.Account, ConfigID: c.ID, Dead: data.ShowsDead, After: after, Limit: lettersShown,
	})
	if err != nil {
		return fmt.Errorf("list callbacks: %w", err)
	}
	for _, l := range found {
		data.Letters = append(data.Letters, letter{l})
	}
	if next != 0 {
		show := "waiting"
		if data.ShowsDead {
			show = "dead"
		}
		data.Next = url.Values{"show": {show}, "after": {g.mark(r, next)}}.Encode()
	}
	return r.Render(w, status, "callback.html", data)
}

// Positions count the callbacks of all accounts: only sealed ones leave (T-01).
func (g *Group) mark(r *page.Request, position int64) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(position)) //nolint:gosec // read back as it was
	return base64.RawURLEncoding.EncodeToString(g.cfg.Keys.Seal(plain, "console callbacks", r.Account))
}

func (g *Group) position(r *page.Request, mark string) (int64, error) {
	if mark == "" {
		return 0, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(mark)
	if err != nil {
		return 0, page.ErrNotFound
	}
	plain, err := g.cfg.Keys.Open(sealed, "console callbacks", r.Account)
	if err != nil || len(plain) != 8 {
		return 0, page.ErrNotFound
	}
	return int64(binary.BigEndian.Uint64(plain)), nil //nolint:gosec // as above
}

// signing returns how a configuration of the account signs.
func (g *Group) signing(r *page.Request, id string) (catalog.Signing, error) {
	s, err := g.cfg.Catalog.CallbackSecret(r.Context(), id)
	if err != nil {
		return catalog.Signing{}, absent(fmt.Errorf("read signing secret: %w", err))
	}
	if s.Account != r.Account {
		return catalog.Signing{}, page.ErrNotFound
	}
	return s, nil
}

// fingerprint tells secrets apart without showing them: the beginning of the
// SHA-256 of the text that receivers configure.
func fingerprint(s callback.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:4])
}

// secretPage shows a signing secret, once.
type secretPage struct {
	ID, Title, Secret, Fingerprint string
	Previous                       string
	PreviousUntil                  time.Time
}

func (g *Group) renderSecret(w http.ResponseWriter, r *page.Request, id, title string) error {
	s, err := g.signing(r, id)
	if err != nil {
		return err
	}
	data := secretPage{ID: id, Title: title, Secret: s.Secret.Reveal(), Fingerprint: fingerprint(s.Secret), PreviousUntil: s.PreviousUntil}
	if !s.Previous.IsZero() {
		data.Previous = fingerprint(s.Previous)
	}
	return r.Render(w, http.StatusOK, "secret.html", data)
}

// rotateSecret gives the configuration a new secret, beside which the one
// before signs for a day (W-06).
func (g *Group) rotateSecret(w http.ResponseWriter, r *page.Request) error {
	c, err := g.config(r)
	if err != nil {
		return err
	}
	if _, err := g.cfg.Catalog.RotateCallbackSecret(ledger.As(r.Context(), audit.ActionCallbackRotate), c.ID); err != nil {
		return absent(fmt.Errorf("rotate signing secret: %w", err))
	}
	return g.renderSecret(w, r, c.ID, "There is a new signing secret")
}

// audited does what no store of package ledger sees.
func (g *Group) audited(r *page.Request, action, subject string, do func() error) error {
	return ledger.Do(r.Context(), g.cfg.Audit, r.Account, action, subject, do) //nolint:wrapcheck // it says what it was doing
}

// testCallback posts a test event now.
func (g *Group) testCallback(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Catalog.Store.Callbacks(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list callback configurations: %w", err)
	}
	i := slices.IndexFunc(all, func(c catalog.SealedCallback) bool { return c.ID == r.PathValue("id") })
	if i < 0 {
		return page.ErrNotFound
	}
	c := all[i]
	to := callback.Post{
		Account: r.Account, ConfigID: c.ID, ProfileID: c.ProfileID, URL: c.URL, Headers: c.Headers,
		Secret: c.Secret, Previous: c.Previous, PreviousUntil: time.UnixMicro(c.PreviousUntil).UTC(),
	}
	var o callback.Outcome
	err = g.audited(r, audit.ActionCallbackTest, c.ID, func() (err error) {
		o, err = g.cfg.Test(r.Context(), to)
		return err
	})
	switch {
	case errors.Is(err, ErrQuarantined):
		r.Form().Refuse("", "The database is quarantined: no callback is posted.")
		return g.renderCallback(w, r, http.StatusConflict, nil)
	case err != nil:
		return err
	}
	return g.renderCallback(w, r, http.StatusOK, &testResult{o.Received, report.Answer(o.Status, o.Problem), o.Latency.Round(time.Millisecond)})
}

// replayLetter posts one dead letter again.
func (g *Group) replayLetter(w http.ResponseWriter, r *page.Request) error {
	c, err := g.config(r)
	if err != nil {
		return err
	}
	id := r.Form().Value("letter")
	err = g.audited(r, audit.ActionCallbackReplay, c.ID+" "+id, func() error {
		return g.cfg.Letters.ReplayLetter(r.Context(), r.Account, c.ID, id)
	})
	said := page.Good("The dead letter is posted again.")
	switch {
	case errors.Is(err, callback.ErrNotFound):
		said = page.Bad("There is no such dead letter any more.")
	case err != nil:
		return err
	}
	return r.Redirect(w, "/callbacks/"+url.PathEscape(c.ID)+"?show=dead", said)
}

// replayLetters posts every dead letter of a configuration again.
func (g *Group) replayLetters(w http.ResponseWriter, r *page.Request) error {
	c, err := g.config(r)
	if err != nil {
		return err
	}
	n := 0
	err = g.audited(r, audit.ActionCallbackReplayAll, c.ID, func() (err error) {
		n, err = g.cfg.Letters.ReplayLetters(r.Context(), r.Account, c.ID)
		return err //nolint:wrapcheck // it says what it was doing
	})
	if err != nil {
		return err
	}
	return r.Redirect(w, "/callbacks/"+url.PathEscape(c.ID)+"?show=waiting", page.Good(strconv.Itoa(n)+" dead letters are posted again."))
}
