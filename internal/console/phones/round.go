package phones

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/phone"
)

// round is an OTP on its way from "Send a code" to "Type the code".
type round struct {
	ID, Via, Status   string
	Attempts, Allowed int
	To                phone.Recipient
	Exchanges         []Exchange
	Once              []Exchange // what was set up for it, for who repeats it elsewhere
	Server            string
}

// Active reports whether a code can still be typed. The API says WRONG_CODE
// from the first wrong one on, until another state ends that.
func (r *round) Active() bool { return r.Status == "ACTIVE" || r.Status == "WRONG_CODE" }

// Tag is the colour of the status.
func (r *round) Tag() string {
	switch r.Status {
	case "VERIFIED":
		return "good"
	case "ACTIVE":
		return "info"
	case "WRONG_CODE":
		return "warn"
	}
	return "bad"
}

// server is the address that commands are shown with. Where the operator did
// not tell it, it is the one in the browser's address line.
func (g *Group) server(r *page.Request) string {
	if g.cfg.PublicURL != nil {
		return strings.TrimSuffix(g.cfg.PublicURL.String(), "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// call runs an exchange.
func (g *Group) call(ctx context.Context, account string, e Exchange) Exchange {
	status, answer := g.cfg.API.Call(ctx, account, e.Method, e.Path, e.Body)
	e.Status, e.Answer = status, strings.TrimSpace(string(answer))
	return e
}

// send sends a test code, and shows the phone that it goes to.
func (g *Group) send(w http.ResponseWriter, r *page.Request) error {
	if !g.cfg.Alone() {
		r.Form().Refuse("", "Real carriers are configured: a test code would leave this machine.")
		return g.renderWall(w, r, http.StatusConflict, nil)
	}
	to, ok := parseTo(r.Form().Value("to"))
	if !ok {
		r.Form().Refuse("to", "This is no phone number. Write it with its country code, such as +49 151 12345678.")
	}
	chosen, known := wayOf(r.Form().Value("via"))
	if !known {
		r.Form().Refuse("via", "Choose one of the channels.")
	}
	if !r.Form().OK() {
		return g.renderWall(w, r, http.StatusUnprocessableEntity, nil)
	}
	request := chosen.send(to.Reveal())
	sent := g.call(r.Context(), r.Account, request)
	var made []Exchange
	if sent.Status == http.StatusBadRequest { // most likely nothing is set up yet
		made = g.setUp(ledger.WithActor(r.Context(), r.Session.Actor()), r.Account, chosen)
		sent = g.call(r.Context(), r.Account, request)
	}
	id := memberOf([]byte(sent.Answer), "id")
	if sent.Status != http.StatusAccepted || id == "" {
		r.Form().Refuse("", "The API refused: "+reason(sent))
		return g.renderWall(w, r, http.StatusUnprocessableEntity, append(made, sent))
	}
	query := url.Values{"otp": {id}, "via": {chosen.value}}
	return r.Redirect(w, Path+"/"+formatKey(g.cfg.Inbox.KeyOf(to))+"?"+query.Encode(), page.Flash{})
}

// How long the sandbox's review of a WhatsApp template is waited for.
const (
	reviewTries = 20
	reviewPause = 250 * time.Millisecond
)

// setUp makes what a way needs; what is there already stays as it is.
func (g *Group) setUp(ctx context.Context, account string, w way) []Exchange {
	var all []Exchange
	for _, e := range w.setup() {
		if w.profile == testWA && strings.HasSuffix(e.Path, "/profiles") {
			g.awaitReview(ctx, account)
		}
		all = append(all, g.call(ctx, account, e))
	}
	return all
}

// awaitReview waits until the template for tests is approved, or for as long as
// a person waits for a page.
func (g *Group) awaitReview(ctx context.Context, account string) {
	pause := time.NewTicker(reviewPause)
	defer pause.Stop()
	for range reviewTries {
		_, answer := g.cfg.API.Call(ctx, account, http.MethodGet, api+"/templates/whatsapp?name="+testName, "")
		if strings.Contains(string(answer), `"APPROVED"`) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// reason is what the API says is wrong, in its words.
func reason(e Exchange) string {
	var p struct {
		Title      string `json:"title"`
		Detail     string `json:"detail"`
		Violations []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"violations"`
	}
	if json.Unmarshal([]byte(e.Answer), &p) != nil || p.Title == "" {
		return http.StatusText(e.Status)
	}
	words := []string{}
	for _, v := range p.Violations {
		words = append(words, v.Field+" "+v.Message)
	}
	if p.Detail != "" {
		words = append(words, p.Detail)
	}
	if len(words) == 0 {
		return p.Title
	}
	return strings.Join(words, "; ")
}

// roundOf reads how far an OTP of this phone is; page.ErrNotFound for one that
// there is not, or that was sent to another phone.
func (g *Group) roundOf(r *page.Request, key [16]byte, id, via string) (*round, error) {
	read := Exchange{Title: "Read how it stands", Method: http.MethodGet, Path: api + "/otp/" + url.PathEscape(id)}
	read = g.call(r.Context(), r.Account, read)
	var o struct {
		To              string `json:"to"`
		Status          string `json:"otpStatus"`
		AttemptCount    int    `json:"attemptCount"`
		AllowedAttempts int    `json:"allowedAttempts"`
	}
	if read.Status != http.StatusOK || json.Unmarshal([]byte(read.Answer), &o) != nil {
		return nil, page.ErrNotFound
	}
	to, ok := parseTo(o.To)
	if !ok || g.cfg.Inbox.KeyOf(to) != key {
		return nil, page.ErrNotFound
	}
	result := &round{ID: id, Via: via, Status: o.Status, Attempts: o.AttemptCount, Allowed: o.AllowedAttempts, To: to, Server: g.server(r)}
	if chosen, known := wayOf(via); known {
		sent := chosen.send(to.Reveal())
		sent.Status, sent.Answer = http.StatusAccepted, object("id", id)
		result.Once, result.Exchanges = chosen.setup(), append(result.Exchanges, sent)
	}
	typed := Exchange{Title: "Check what was typed", Method: http.MethodPost, Path: api + "/otp/" + url.PathEscape(id) + "/validate", Body: object("otpCode", "CODE")}
	if o.Status == "VERIFIED" {
		typed.Status, typed.Answer = http.StatusOK, object("otpStatus", o.Status)
	}
	result.Exchanges = append(result.Exchanges, typed, read)
	return result, nil
}

// check types a code.
func (g *Group) check(w http.ResponseWriter, r *page.Request) error {
	key, ok := parseKey(r.PathValue("key"))
	if !ok {
		return page.ErrNotFound
	}
	f := r.Form()
	id, via, code := f.Value("otp"), f.Value("via"), f.Value("code")
	back := Path + "/" + formatKey(key) + "?" + url.Values{"otp": {id}, "via": {via}}.Encode()
	if code == "" {
		f.Refuse("code", "Type the code that the message holds.")
		return g.renderCheck(w, r, key, id, via)
	}
	e := g.call(r.Context(), r.Account, Exchange{
		Method: http.MethodPost, Path: api + "/otp/" + url.PathEscape(id) + "/validate", Body: object("otpCode", code),
	})
	switch verdict := memberOf([]byte(e.Answer), "otpStatus"); {
	case e.Status == http.StatusNotFound:
		return page.ErrNotFound
	case verdict == "VERIFIED":
		return r.Redirect(w, back, page.Good("The code is right. The OTP is verified."))
	case verdict == "WRONG_CODE":
		f.Refuse("code", "This code is wrong. The attempt was counted.")
	case verdict == "ALREADY_REPORTED":
		return r.Redirect(w, back, page.Bad("The OTP had ended before: a code works once."))
	case verdict != "":
		return r.Redirect(w, back, page.Bad("The OTP has ended: "+verdict+"."))
	default:
		f.Refuse("code", "The API refused: "+reason(e))
	}
	f.Set("code", "")
	return g.renderCheck(w, r, key, id, via)
}

// renderCheck shows the round again with what was wrong.
func (g *Group) renderCheck(w http.ResponseWriter, r *page.Request, key [16]byte, id, via string) error {
	r.URL.RawQuery = url.Values{"otp": {id}, "via": {via}}.Encode()
	return g.render(w, r, http.StatusUnprocessableEntity, key)
}
