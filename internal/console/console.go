// Package console is the web pages of a deployment, under /console: how people
// get in, and the groups of pages that they find there. It is part of the
// binary: no build step, nothing loaded from elsewhere.
//
// Package access decides who may come in, package page is what pages are made
// with, package live keeps open pages up to date. Each group of pages is a
// package of its own.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/assets"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/page"
)

// Path is where the console lives; a server routes it and all below it to the
// Console.
const Path = "/console"

// Config is what a Console is made of. Every field is needed but Secure and
// PublicURL.
type Config struct {
	Access   *access.Service
	Accounts page.Accounts
	Keys     page.Keys
	Audit    access.Auditor
	Hub      *live.Hub // woken by whoever knows of news
	Groups   []page.Group
	// Secure makes cookies travel over TLS only. False for plain HTTP on
	// loopback, and only there.
	Secure    bool
	PublicURL *url.URL // where browsers see this server, nil if not known
	Now       func() time.Time
	Log       *slog.Logger
}

// Console answers for Path. It is safe for concurrent use.
type Console struct {
	handler http.Handler
	hub     *live.Hub
	kit     *page.Kit
}

// New returns a console over c. The error is a public URL that browsers cannot
// send.
func New(c Config) (*Console, error) {
	files, err := assets.New(Path + "/assets")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	kit, err := page.New(page.Config{
		Base: Path, Secure: c.Secure, Sessions: c.Access, Accounts: c.Accounts, Keys: c.Keys, Audit: c.Audit,
		Assets: files, Hub: c.Hub, Now: c.Now, Log: c.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	for _, g := range append([]page.Group{&doors{access: c.Access, secure: c.Secure}}, c.Groups...) {
		if err := kit.Add(g); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	origin := http.NewCrossOriginProtection()
	if c.PublicURL != nil { // a proxy may give us another Host than browsers see
		if err := origin.AddTrustedOrigin(c.PublicURL.Scheme + "://" + c.PublicURL.Host); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	return &Console{guarded(origin.Handler(kit), c.Secure), c.Hub, kit}, nil
}

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Parse parses every page now; see page.Kit.
func (c *Console) Parse() error { return c.kit.Parse() } //nolint:wrapcheck // it says which template

// Run ends live pages when ctx ends.
func (c *Console) Run(ctx context.Context) error { return c.hub.Run(ctx) } //nolint:wrapcheck // nil

// policy is what browsers may load on a page: our own files, nothing inline
//
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded sets the headers of every answer.
func guarded(next http.Handler, secure bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
		// Not no-referrer: forms would come with the origin "null".
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		h.Set("Cache-Control", "no-store")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
