package phones

import (
	"fmt"
	"net/http"

	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/page"
)

// Choice is a button on a phone.
type Choice struct {
	Value, Label, Does string
	Order              sandbox.Order
}

// choices are the buttons in their order.
func choices() []Choice {
	return []Choice{
		{"normal", "As usual", "The next messages are delivered at once, or as the number's last digits choose.", sandbox.NoOrder},
		{"late", "Arrive late", "The next messages arrive ten seconds late.", sandbox.ArriveLate},
		{"fail", "Report undeliverable", "The next messages are accepted, then reported undeliverable.", sandbox.ReportFailed},
		{"silent", "Report nothing", "The next messages arrive, but nothing is reported: the wait times out.", sandbox.ReportNothing},
		{"refuse", "Refuse", "The next messages are refused at once and never arrive.", sandbox.RefuseSubmit},
	}
}

// Choices are the phone's buttons; for templates.
func (p Phone) Choices() []Choice { return choices() }

// Does says what becomes of the next messages.
func (p Phone) Does() string {
	for _, c := range choices() {
		if c.Order == p.Order {
			return c.Does
		}
	}
	return ""
}

// Button is the one that is pressed.
func (p Phone) Button() string {
	for _, c := range choices() {
		if c.Order == p.Order {
			return c.Label
		}
	}
	return ""
}

// order takes what is to become of the next messages to a number, on every
// channel.
func (g *Group) order(w http.ResponseWriter, r *page.Request) error {
	key, ok := parseKey(r.PathValue("key"))
	if !ok {
		return page.ErrNotFound
	}
	var chosen Choice
	for _, c := range choices() {
		if c.Value == r.Form().Value("does") {
			chosen = c
		}
	}
	if chosen.Value == "" {
		r.Form().Refuse("", "Choose one of the buttons.")
		return g.render(w, r, http.StatusUnprocessableEntity, key)
	}
	err := g.cfg.Audit.Append(r.Context(), audit.Entry{
		Action: audit.ActionSandboxOrder, Actor: r.Session.Actor(), Account: r.Account, Subject: chosen.Value + " " + formatKey(key),
	})
	if err != nil {
		return fmt.Errorf("audit order: %w", err)
	}
	if err := g.cfg.Orders.Put(r.Context(), r.Account, key, chosen.Order); err != nil {
		return err //nolint:wrapcheck // it says what it was doing
	}
	if r.Partial() {
		return g.screen(w, r)
	}
	return r.Redirect(w, Path+"/"+formatKey(key), page.Good(chosen.Does))
}
