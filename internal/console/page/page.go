// Package page is what the console's pages are made with: routes that know who
// may use them, templates in one layout, forms that come back with what was
// typed, numbers that are masked where they must be, and live topics.
//
// A group of pages is a type that implements Group; the console is made with a
// list of groups.
package page

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/assets"
	"github.com/countersign/countersign/internal/console/live"
)

// Link is an entry of the navigation.
type Link struct {
	Path  string // below the console's base, such as "/otps"
	Label string
	Owner bool // only owners see it
}

// Group is some pages that belong together.
type Group interface {
	// Links returns the group's entries of the navigation, in order. It is asked
	// at every request, so that pages can come and go.
	Links() []Link
	// Templates returns the group's templates, *.html; see Routes.
	Templates() fs.FS
	// Register adds the group's routes.
	Register(r *Routes)
}

// Embedded returns the templates of a group that embeds them in its directory
// "templates".
func Embedded(files embed.FS) fs.FS {
	sub, err := fs.Sub(files, "templates")
	if err != nil {
		panic("page: " + err.Error()) // the name is a valid path
	}
	return sub
}

// Needs is what a route asks of whoever calls it. Every route asks for a
// session.
type Needs uint8

// What routes ask for; combine with |.
const (
	Read  Needs = 0
	Owner Needs = 1 << (iota - 1) // an owner
	Fresh                         // that the password was given in the last minutes
)

// Handler answers one request. An error is written as a page: ErrNotFound as
// 404, a storage failure as 503, everything else as 500.
type Handler func(w http.ResponseWriter, r *Request) error

// Sessions is what pages ask of access; access.Service does.
type Sessions interface {
	Session(ctx context.Context, token string) (access.Session, error)
	Peek(ctx context.Context, token string) (access.Session, error)
	Proved(s access.Session) bool
	IsLocal() bool
}

// Accounts reads accounts; the store does.
type Accounts interface {
	Account(ctx context.Context, name string) (account.Account, error)
}

// Config is what a Kit is made of. Every field is needed but Secure.
type Config struct {
	Base     string // path that all pages are under, without a slash at its end
	Secure   bool   // cookies only travel over TLS; false for plain HTTP on loopback
	Sessions Sessions
	Accounts Accounts
	Keys     Keys
	Audit    access.Auditor
	Assets   *assets.Assets
	Hub      *live.Hub
	Now      func() time.Time
	Log      *slog.Logger
}

// Kit makes pages. It is safe for concurrent use once every group is added.
type Kit struct {
	cfg     Config
	mux     *http.ServeMux
	groups  []Group
	sources map[string]live.Source
	own     *templates   // for pages of no group: errors, proof
	sets    []*templates // those and the groups'
}

// New returns a kit over c.
func New(c Config) (*Kit, error) {
	own, err := list(c.Assets, nil)
	if err != nil {
		return nil, err
	}
	k := &Kit{cfg: c, mux: http.NewServeMux(), sources: map[string]live.Source{}, own: own, sets: []*templates{own}}
	k.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		k.serve(w, r, k.own, Read, func(http.ResponseWriter, *Request) error { return ErrNotFound })
	})
	k.registerOwn()
	return k, nil
}

// Add adds a group's pages.
func (k *Kit) Add(g Group) error {
	set, err := list(k.cfg.Assets, g.Templates())
	if err != nil {
		return err
	}
	k.groups, k.sets = append(k.groups, g), append(k.sets, set)
	g.Register(&Routes{k, set})
	return nil
}

// Parse parses every page now, which otherwise is done when somebody asks for
// it. The error joins the mistakes in templates.
func (k *Kit) Parse() error {
	var errs []error
	for _, set := range k.sets {
		for _, parsed := range set.pages {
			_, err := parsed()
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Links returns the navigation of a session's user.
func (k *Kit) Links(s access.Session) []Link {
	var all []Link
	for _, g := range k.groups {
		for _, l := range g.Links() {
			if !l.Owner || s.Role == access.Owner {
				all = append(all, l)
			}
		}
	}
	return all
}

// ServeHTTP answers everything below the base.
func (k *Kit) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.mux.ServeHTTP(w, r) }

// Routes is where a group adds its routes.
//
// A template file of the group holds a page: it defines "title" and "main" and
// may define fragments; files that begin with "_" are parsed with each of the
// others. Inside, . is the *View: what the handler gave is .Data.
type Routes struct {
	kit *Kit
	set *templates
}

// Handle adds a route. The pattern is http.ServeMux's, its path below the base:
// "GET /otps/{id}". Every route but a GET checks that the request comes from
// one of our pages.
func (r *Routes) Handle(pattern string, needs Needs, h Handler) {
	r.kit.handle(pattern, needs, r.set, h)
}

// Live adds a topic that pages may listen to with data-live.
func (r *Routes) Live(name string, s live.Source) { r.kit.sources[name] = s }
