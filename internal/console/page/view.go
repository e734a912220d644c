package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/assets"
)

// View is what a template's . is.
type View struct {
	Data    any // what the handler gave
	Session access.Session
	Form    *Form
	Flash   Flash
	CSRF    string // the token that every form carries; {{template "csrf" $}}
	Base    string
	Path    string // of the page, below the base
	Partial bool

	r    *Request
	zone *time.Location
}

// NavLink is an entry of the navigation as a page shows it.
type NavLink struct {
	Link

	URL     string
	Current bool
}

// Nav returns the navigation.
func (v *View) Nav() []NavLink {
	if !v.SignedIn() {
		return nil
	}
	var all []NavLink
	for _, l := range v.r.kit.Links(v.Session) {
		all = append(all, NavLink{l, v.Base + l.Path, v.Path == l.Path || strings.HasPrefix(v.Path, l.Path+"/")})
	}
	return all
}

// SignedIn reports whether the page is for somebody who is signed in.
func (v *View) SignedIn() bool { return v.Session.Account != "" }

// IsOwner reports whether the user may change things: show buttons by it.
func (v *View) IsOwner() bool { return v.r.IsOwner() }

// URL returns a path below the base, its parts escaped: {{$.URL "otps" .ID}}.
func (v *View) URL(parts ...string) string {
	var u strings.Builder
	u.WriteString(v.Base)
	for _, p := range parts {
		u.WriteString("/" + url.PathEscape(p))
	}
	return u.String()
}

// Zone is the account's time zone, UTC if it has none.
func (v *View) Zone() *time.Location {
	if v.zone == nil {
		v.zone = v.r.Zone()
	}
	return v.zone
}

// Time shows a moment in the account's time zone, "–" for none.
func (v *View) Time(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	local := t.In(v.Zone())
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, //nolint:gosec // digits only
		t.UTC().Format(time.RFC3339Nano), local.Format("2006-01-02 15:04:05")))
}

// Zone is the account's time zone, UTC if it has none or cannot be read.
func (r *Request) Zone() *time.Location {
	a, err := r.kit.cfg.Accounts.Account(r.Context(), r.Account)
	if err != nil {
		return time.UTC
	}
	zone, err := time.LoadLocation(a.Setting(account.SettingTimezone))
	if err != nil {
		return time.UTC
	}
	return zone
}

// Now is the database's time.
func (r *Request) Now() time.Time { return r.kit.cfg.Now() }

// templates are the pages of a group. A page is parsed when somebody first asks
// for it: all of them parsed would be most of what an idle server keeps in
// memory, and what its collector goes through under load.
type templates struct {
	pages map[string]func() (*template.Template, error)
}

// layoutName is the template that a whole page starts from.
const layoutName = "layout.html"

// list finds the pages in own, which are parsed with the layout and its
// partials; nil is the layout's own.
func list(a *assets.Assets, own fs.FS) (*templates, error) {
	layout, err := fs.Sub(layoutFiles, "layout")
	if err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	if own == nil {
		own = layout
	}
	names, err := fs.Glob(own, "*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	t := &templates{map[string]func() (*template.Template, error){}}
	for _, name := range names {
		if name == layoutName || strings.HasPrefix(name, "_") {
			continue
		}
		t.pages[name] = sync.OnceValues(func() (*template.Template, error) { return parse(a, layout, own, name) })
	}
	return t, nil
}

// parse reads the page name in own with the files beside it that begin with
// "_", and with the layout.
func parse(a *assets.Assets, layout, own fs.FS, name string) (*template.Template, error) {
	one, err := template.New("").Funcs(functions(a)).ParseFS(layout, "_*.html", layoutName)
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	files, err := fs.Glob(own, "_*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	if one, err = one.ParseFS(own, append(files, name)...); err != nil {
		return nil, fmt.Errorf("parse template %s: %w", name, err)
	}
	for _, needed := range []string{"title", "main"} {
		if one.Lookup(needed) == nil {
			return nil, fmt.Errorf("template %s does not define %q", name, needed)
		}
	}
	return one, nil
}

var errNoTemplate = errors.New("no such template")

// Render writes a whole page: the file's "title" and "main" in the layout.
func (r *Request) Render(w http.ResponseWriter, status int, file string, data any) error {
	return r.write(w, status, file, layoutName, data)
}

// Fragment writes one template of a file alone, for htmx.
func (r *Request) Fragment(w http.ResponseWriter, status int, file, name string, data any) error {
	return r.write(w, status, file, name, data)
}

// write renders before it writes, so that a mistake cannot leave half a page.
func (r *Request) write(w http.ResponseWriter, status int, file, name string, data any) error {
	parsed := r.set.pages[file]
	if parsed == nil {
		return fmt.Errorf("%s: %w", file, errNoTemplate)
	}
	page, err := parsed()
	if err != nil {
		return err
	}
	v := &View{
		Data: data, Session: r.Session, Form: r.Form(), CSRF: csrfOf(r.token), Base: r.kit.cfg.Base,
		Path: strings.TrimPrefix(path.Clean(r.URL.Path), r.kit.cfg.Base), Partial: name != layoutName, r: r,
	}
	if name == layoutName {
		v.Flash = r.kit.takeFlash(w, r.Request)
	}
	var b bytes.Buffer
	if err := page.ExecuteTemplate(&b, name, v); err != nil {
		return fmt.Errorf("render %s: %w", file, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that left needs none
	return nil
}

// Redirect sends the browser to a path below the base; what was said is shown
// there once. It must hold no personal data.
func (r *Request) Redirect(w http.ResponseWriter, target string, said Flash) error {
	r.kit.setFlash(w, said)
	target = r.kit.cfg.Base + target
	if r.Partial() {
		w.Header().Set("HX-Redirect", target)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r.Request, target, http.StatusSeeOther)
	return nil
}

// Good and Bad make messages for Redirect.
func Good(text string) Flash { return Flash{"good", text} }

// Bad is Good for bad news.
func Bad(text string) Flash { return Flash{"bad", text} }
