package desk

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/page"
)

func callbackFields() []field {
	return []field{
		{"url", "url", "The URL"},
		{"profileId", "profileId", "The profile"},
		{headersField, headersField, "One of the headers"},
	}
}

// config is a callback configuration as pages show it: without what may open
// the receiver's door (W-05).
type config struct {
	ID, Address     string
	Profile, Events string   // the profile whose events it gets, or what else those are of
	Headers         []string // their names
	callback.Waiting
}

// address is a URL without user and query: those may hold credentials.
func address(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "…"
	}
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.RawQuery != "" {
		shown += "?…"
	}
	return shown
}

// host is address without the path, which may hold credentials too: for
// support.
func host(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.EscapedPath() == "" {
		return address(text)
	}
	return u.Scheme + "://" + u.Host + "/…"
}

// configs reads the account's configurations.
func (g *Group) configs(r *page.Request) ([]config, error) {
	all, err := g.cfg.Catalog.Callbacks(r.Context(), r.Account)
	if err != nil {
		return nil, fmt.Errorf("list callback configurations: %w", err)
	}
	counts, err := g.cfg.Letters.CountLetters(r.Context(), r.Account)
	if err != nil {
		return nil, fmt.Errorf("count callbacks: %w", err)
	}
	profiles, err := g.cfg.Catalog.Profiles(r.Context(), r.Account)
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	names := make(map[string]string, len(profiles)) // by id
	for _, p := range profiles {
		names[p.ID] = p.Name
	}
	shown := host
	if r.IsOwner() {
		shown = address
	}
	out := make([]config, 0, len(all))
	for _, c := range all {
		one := config{ID: c.ID, Address: shown(c.URL), Events: "all profiles", Waiting: counts[c.ID]}
		if c.ProfileID != "" {
			one.Events = "a profile that was deleted"
			one.Profile = names[c.ProfileID]
		}
		for _, h := range c.Headers {
			one.Headers = append(one.Headers, h.Name)
		}
		out = append(out, one)
	}
	return out, nil
}

func (g *Group) listCallbacks(w http.ResponseWriter, r *page.Request) error {
	all, err := g.configs(r)
	if err != nil {
		return err
	}
	return r.Render(w, http.StatusOK, "callbacks.html", partOf(r, all, func(c config) string { return c.ID }))
}

// config reads the path's configuration.
func (g *Group) config(r *page.Request) (config, error) {
	all, err := g.configs(r)
	if err != nil {
		return config{}, err
	}
	i := slices.IndexFunc(all, func(c config) bool { return c.ID == r.PathValue("id") })
	if i < 0 {
		return config{}, page.ErrNotFound
	}
	return all[i], nil
}

// callbackForm is the page on which a configuration is made or changed.
type callbackForm struct {
	ID       string // "" for one that is to be made
	Headers  []keptHeader
	Profiles []page.Option
}

// keptHeader is a header that a configuration has; its value is never shown.
type keptHeader struct {
	Name string
	Kept bool
}

func (g *Group) renderCallbackForm(w http.ResponseWriter, r *page.Request, status int, id string, has []string) error {
	profiles, err := g.cfg.Catalog.Profiles(r.Context(), r.Account)
	if err != nil {
		return fmt.Errorf("list profiles: %w", err)
	}
	data := callbackForm{ID: id, Profiles: []page.Option{{Label: "All profiles"}}}
	for _, p := range profiles {
		data.Profiles = append(data.Profiles, page.Option{Value: p.ID, Label: p.Name})
	}
	if p := r.Form().Value("profileId"); p != "" && !slices.ContainsFunc(data.Profiles, func(o page.Option) bool { return o.Value == p }) {
		data.Profiles = append(data.Profiles, page.Option{Value: p, Label: "A profile that was deleted"})
	}
	for _, name := range has {
		data.Headers = append(data.Headers, keptHeader{name, slices.Contains(r.Form().Values("keep"), name)})
	}
	return r.Render(w, status, "callback-form.html", data)
}

func (g *Group) newCallback(w http.ResponseWriter, r *page.Request) error {
	return g.renderCallbackForm(w, r, http.StatusOK, "", nil)
}

// stored reads the path's configuration with what pages do not show.
func (g *Group) stored(r *page.Request) (catalog.Callback, error) {
	all, err := g.cfg.Catalog.Callbacks(r.Context(), r.Account)
	if err != nil {
		return catalog.Callback{}, fmt.Errorf("list callback configurations: %w", err)
	}
	i := slices.IndexFunc(all, func(c catalog.Callback) bool { return c.ID == r.PathValue("id") })
	if i < 0 {
		return catalog.Callback{}, page.ErrNotFound
	}
	return all[i], nil
}

func namesOf(headers []catalog.Header) []string {
	names := make([]string, 0, len(headers))
	for _, h := range headers {
		names = append(names, h.Name)
	}
	return names
}

func (g *Group) editCallback(w http.ResponseWriter, r *page.Request) error {
	c, err := g.stored(r)
	if err != nil {
		return err
	}
	if err := g.show(r, callbackEdit(c)); err != nil {
		return err
	}
	return g.renderCallbackForm(w, r, http.StatusOK, c.ID, namesOf(c.Headers))
}

// callbackEdit is the form that changes a configuration. The values of headers
// do not count: the form keeps them as they are, and one that is typed is not
// compared, which would tell the stored one to whoever guesses.
func callbackEdit(c catalog.Callback) edit {
	return edit{
		func(f *page.Form) {
			f.Set("url", c.URL)
			f.Set("profileId", c.ProfileID)
			f.Set("keep", namesOf(c.Headers)...)
		},
		func(f *page.Form) map[string]any {
			return map[string]any{"url": typedURL(f), "profileId": f.Value("profileId"), "keep": namesOf(kept(f, c.Headers)), "new": f.Raw(headersField)}
		},
	}
}

func typedURL(f *page.Form) string { return strings.Trim(f.Raw("url"), " \t\r\n") }

// kept are the headers of a configuration whose tick the form has.
func kept(f *page.Form, has []catalog.Header) []catalog.Header {
	return slices.DeleteFunc(slices.Clone(has), func(h catalog.Header) bool { return !slices.Contains(f.Values("keep"), h.Name) })
}

// callbackBody is the request that the form stands for: headers that are kept,
// and those typed, one a line. It is false if a line is no header.
func callbackBody(f *page.Form, has []catalog.Header) (map[string]any, bool) {
	headers := map[string]string{}
	for _, h := range kept(f, has) {
		headers[h.Name] = h.Value
	}
	for line := range strings.Lines(typedText(f, "headers")) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			f.Refuse("headers", "A header has a name, a colon and a value, such as X-Token: abc.")
			return nil, false
		}
		name = strings.TrimSpace(name)
		for old := range headers {
			if strings.EqualFold(old, name) {
				delete(headers, old) // the new one takes its place
			}
		}
		headers[name] = strings.TrimSpace(value)
	}
	return map[string]any{"url": typedURL(f), "profileId": f.Value("profileId"), "headers": headers}, true
}

func (g *Group) createCallback(w http.ResponseWriter, r *page.Request) error {
	body, ok := callbackBody(r.Form(), nil)
	var answer []byte
	var err error
	if ok {
		if answer, ok, err = g.ask(r, http.MethodPost, "/configurations/callbacks", body, callbackFields()); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderCallbackForm(w, r, http.StatusUnprocessableEntity, "", nil)
	}
	return g.renderSecret(w, r, idOf(answer), "The configuration was made")
}

func (g *Group) changeCallback(w http.ResponseWriter, r *page.Request) error {
	c, err := g.stored(r)
	if err != nil {
		return err
	}
	ok, err := g.current(r, callbackEdit(c))
	if err != nil {
		return err
	}
	var body map[string]any
	if ok {
		body, ok = callbackBody(r.Form(), c.Headers)
	}
	if ok {
		if _, ok, err = g.ask(r, http.MethodPatch, "/configurations/callbacks/"+c.ID, body, callbackFields()); err != nil {
			return err
		}
	}
	if !ok {
		return g.renderCallbackForm(w, r, http.StatusUnprocessableEntity, c.ID, namesOf(c.Headers))
	}
	return r.Redirect(w, "/callbacks/"+url.PathEscape(c.ID), page.Good("The configuration was changed."))
}

func (g *Group) deleteCallback(w http.ResponseWriter, r *page.Request) error {
	c, err := g.config(r)
	if err != nil {
		return err
	}
	if _, ok, err := g.ask(r, http.MethodDelete, "/configurations/callbacks/"+c.ID, nil, nil); err != nil || !ok {
		return orRefused(err)
	}
	return r.Redirect(w, "/callbacks", page.Good("The configuration was deleted, with what was queued for it."))
}
