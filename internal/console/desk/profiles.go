package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
)

func profileFields() []field {
	return []field{
		{"name", "name", "The name"},
		{"alphanumeric", "alphanumeric", "The kind of code"},
		{"attempts", "attempts", "The number of attempts"},
		{"otpCodeLength", "otpCodeLength", "The length of the code"},
		{"channels", "link", "One of the templates"},
	}
}

// choice is a template that a profile can have.
type choice struct {
	catalog.Link

	Chosen bool
	Gone   bool // no such template exists any more
}

// choices are the templates of one channel.
type choices struct {
	Channel, Label string
	All            []choice
}

// Value is how forms name the template.
func (c choice) Value() string { return linkValue(c.Link) }

// LanguageName is what people call the language.
func (c choice) LanguageName() string { return languageName(c.Language) }

func linkValue(l catalog.Link) string { return string(l.Channel) + " " + l.Language + " " + l.Template }

func parseLink(text string) (catalog.Link, bool) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 {
		return catalog.Link{}, false
	}
	return catalog.Link{Channel: message.Channel(parts[0]), Language: parts[1], Template: parts[2]}, true
}

func (g *Group) listProfiles(w http.ResponseWriter, r *page.Request) error {
	all, err := g.cfg.Catalog.Profiles(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list profiles: %w", err)
	}
	return r.Render(w, http.StatusOK, "profiles.html", partOf(r, all, func(p catalog.Profile) string { return p.ID }))
}

type profilePage struct {
	ID, Trouble string
	Choices     []choices
}

func (g *Group) newProfile(w http.ResponseWriter, r *page.Request) error {
	f := r.Form()
	f.Set("attempts", strconv.Itoa(g.cfg.Defaults.Attempts))
	f.Set("otpCodeLength", strconv.Itoa(g.cfg.Defaults.CodeLength))
	return g.renderProfile(w, r, http.StatusOK, "")
}

func (g *Group) renderProfile(w http.ResponseWriter, r *page.Request, status int, id string) error {
	var known []catalog.Link
	texts, err := g.cfg.Catalog.Templates(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list templates: %w", err)
	}
	for _, t := range texts {
		known = append(known, catalog.Link{Channel: t.Channel, Template: t.Name, Language: t.Language})
	}
	data := profilePage{ID: id}
	held, trouble, err := g.heldIfAny(r)
	if err != nil {
		return err
	}
	data.Trouble = trouble
	for _, t := range held {
		known = append(known, catalog.Link{Channel: message.WhatsApp, Template: t.Name, Language: t.Language})
	}
	var chosen []catalog.Link
	for _, v := range r.Form().Values("link") {
		if l, ok := parseLink(v); ok {
			chosen = append(chosen, l)
		}
	}
	data.Choices = choicesOf(known, chosen)
	return r.Render(w, status, "profile.html", data)
}

// heldIfAny is held for an account that may have no WhatsApp account.
func (g *Group) heldIfAny(r *page.Request) ([]heldTemplate, string, error) {
	if _, err := g.cfg.Catalog.WhatsAppAccount(r.Context(), r.Account); err != nil {
		if absent(err) == page.ErrNotFound { //nolint:errorlint // as absent returns it
			return nil, "", nil
		}
		return nil, "", fmt.Errorf("read WhatsApp account: %w", err)
	}
	return g.held(r)
}

// choicesOf groups templates by channel: what is known, and what is chosen
// though it is gone.
func choicesOf(known, chosen []catalog.Link) []choices {
	var all []choices
	for _, c := range message.Channels() {
		group := choices{Channel: string(c), Label: channelName(c)}
		for _, l := range known {
			if l.Channel == c {
				group.All = append(group.All, choice{Link: l, Chosen: slices.Contains(chosen, l)})
			}
		}
		for _, l := range chosen {
			if l.Channel == c && !slices.Contains(known, l) {
				group.All = append(group.All, choice{Link: l, Chosen: true, Gone: true})
			}
		}
		if len(group.All) > 0 {
			all = append(all, group)
		}
	}
	return all
}

func (g *Group) profile(r *page.Request) (catalog.Profile, error) {
	p, err := g.cfg.Catalog.Profile(r.Context(), r.Account, r.PathValue("id"))
	if err != nil {
		return catalog.Profile{}, absent(fmt.Errorf("read profile: %w", err))
	}
	return p, nil
}

func (g *Group) showProfile(w http.ResponseWriter, r *page.Request) error {
	p, err := g.profile(r)
	if err != nil {
		return err
	}
	if err := g.show(r, profileEdit(p)); err != nil {
		return err
	}
	return g.renderProfile(w, r, http.StatusOK, p.ID)
}

// profileEdit is the form that changes a profile.
func profileEdit(p catalog.Profile) edit {
	return edit{
		func(f *page.Form) { fillProfile(f, p) },
		func(f *page.Form) map[string]any { return profileBody(f, p.Links) },
	}
}

// fillProfile puts a stored profile into the form.
func fillProfile(f *page.Form, p catalog.Profile) {
	f.Set("name", p.Name)
	if p.Alphanumeric {
		f.Set("alphanumeric", "yes")
	}
	f.Set("attempts", strconv.Itoa(p.Attempts))
	f.Set("otpCodeLength", strconv.Itoa(p.CodeLength))
	links := make([]string, 0, len(p.Links))
	for _, l := range p.Links {
		links = append(links, linkValue(l))
	}
	f.Set("link", links...)
}

// profileBody is the request that the form stands for. Links keep their order,
// those that the profile has already that of the profile: one entry each.
func profileBody(f *page.Form, has []catalog.Link) map[string]any {
	var links []catalog.Link
	for _, v := range f.Values("link") {
		if l, ok := parseLink(v); ok {
			links = append(links, l)
		}
	}
	place := func(l catalog.Link) int {
		if i := slices.Index(has, l); i >= 0 {
			return i
		}
		return len(has)
	}
	slices.SortStableFunc(links, func(a, b catalog.Link) int { return place(a) - place(b) })
	channels := []any{}
	for _, l := range links {
		channels = append(channels, map[string]any{
			"type": l.Channel, "templates": []any{map[string]any{"name": l.Template, "languageCode": l.Language}},
		})
	}
	body := map[string]any{"name": f.Raw("name"), "alphanumeric": strconv.FormatBool(f.Has("alphanumeric")), "channels": channels}
	put(body, f, "attempts", "otpCodeLength")
	return body
}

func (g *Group) createProfile(w http.ResponseWriter, r *page.Request) error {
	answer, ok, err := g.ask(r, http.MethodPost, "/profiles", profileBody(r.Form(), nil), profileFields())
	if err != nil {
		return err
	}
	if !ok {
		return g.renderProfile(w, r, http.StatusUnprocessableEntity, "")
	}
	return r.Redirect(w, "/plans/profiles/"+url.PathEscape(idOf(answer)), page.Good("The profile was made."))
}

func (g *Group) changeProfile(w http.ResponseWriter, r *page.Request) error {
	p, err := g.profile(r)
	if err != nil {
		return err
	}
	ok, err := g.current(r, profileEdit(p))
	if err != nil {
		return err
	}
	if ok = ok && filled(r.Form(), profileFields()...); ok {
		if _, ok, err = g.ask(r, http.MethodPatch, "/profiles/"+p.ID, profileBody(r.Form(), p.Links), profileFields()); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderProfile(w, r, http.StatusUnprocessableEntity, p.ID)
	}
	return r.Redirect(w, "/plans/profiles/"+url.PathEscape(p.ID), page.Good("The profile was changed."))
}

func (g *Group) deleteProfile(w http.ResponseWriter, r *page.Request) error {
	p, err := g.profile(r)
	if err != nil {
		return err
	}
	if _, ok, err := g.ask(r, http.MethodDelete, "/profiles/"+p.ID, nil, nil); err != nil || !ok {
		return orRefused(err)
	}
	return r.Redirect(w, "/plans", page.Good("The profile was deleted."))
}
