package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/numbers"
	"github.com/countersign/countersign/internal/console/otps"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/console/phones"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/report"
)

// Access lets people into the console. sandboxOnly reports whether nothing but
// the sandbox carries messages; it is asked at every request.
func (d *Deployment) Access(sandboxOnly func() bool) *access.Service {
	return access.New(access.Config{
		Store: d.Store, Keys: d.Keys, Audit: d.Audit(), Now: d.Store.Now, Wall: time.Now, //nolint:forbidigo // authenticator apps follow it
		IsLocal: func() bool { return d.private() && sandboxOnly() },
	})
}

// private reports whether only this machine reaches the APIs: they listen on
// loopback, and no public address says that something passes requests on.
func (d *Deployment) private() bool {
	return config.Loopback(d.Config.Listen) && d.Config.PublicURL == nil
}

// secureCookies reports whether cookies travel over TLS only. Only a console that
// browsers reach on loopback may do without.
func (d *Deployment) secureCookies() bool {
	if d.Config.TLS() || !config.Loopback(d.Config.Listen) {
		return true
	}
	public := d.Config.PublicURL
	return public != nil && (public.Scheme == "https" || !config.Loopback(net.JoinHostPort(public.Hostname(), "80")))
}

// plainPublic reports whether the public address keeps people from signing in:
// browsers keep no cookie that travels over TLS only from plain HTTP.
func (d *Deployment) plainPublic() bool {
	return d.Config.PublicURL != nil && d.Config.PublicURL.Scheme == "http" && d.secureCookies()
}

// origin is the scheme, host and port of the public address as browsers write
// them: in small letters, without the port that goes without saying. Nil if there
// is none.
func (d *Deployment) origin() *url.URL {
	public := d.Config.PublicURL
	if public == nil {
		return nil
	}
	host := strings.ToLower(public.Host)
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[public.Scheme])
	return &url.URL{Scheme: public.Scheme, Host: strings.TrimSuffix(host, ":")}
}

// ConsoleLink is the address of a one-time link. listening is where the APIs
// are, used unless the operator told the public address. Its path is left away:
// the console's pages lead to each other without one. The token stands behind the
// #, where neither proxies nor logs see it.
func (d *Deployment) ConsoleLink(listening, token string) string {
	base := d.APIAddress(listening)
	if public := d.origin(); public != nil {
		base = public.String()
	}
	link, err := url.JoinPath(base, console.Path, "enter")
	if err != nil { // both bases are URLs
		link = base + console.Path + "/enter"
	}
	return link + "#" + token
}

// APIAddress is the URL of the APIs at an address.
func (d *Deployment) APIAddress(listening string) string {
	if d.Config.TLS() {
		return "https://" + listening
	}
	return "http://" + listening
}

// firstLink returns a one-time link while nobody can sign in with a password;
// "" otherwise. Its account is the first one, or the oldest.
func (d *Deployment) firstLink(ctx context.Context, doors *access.Service, listening string) (string, error) {
	has, err := doors.HasUsers(ctx)
	if err != nil || has {
		return "", err //nolint:wrapcheck // says what it was doing
	}
	name := firstAccount
	if _, err := d.Store.Account(ctx, name); errors.Is(err, account.ErrNotFound) {
		all, err := d.Store.Accounts(ctx)
		if err != nil {
			return "", fmt.Errorf("list accounts: %w", err)
		}
		if len(all) == 0 {
			return "", nil
		}
		name = all[0].Name
	}
	token, err := doors.Invite(ctx, "server", name, access.Owner, access.FirstLife)
	if err != nil {
		return "", fmt.Errorf("make the console link: %w", err)
	}
	return d.ConsoleLink(listening, token), nil
}

// console makes the console. v4 is what the version 4 API is made of, for pages
// that call it.
func (d *Deployment) console(p *parts, box *Box, carriers *fleet.Fleet, v4 tyntecv4.Config) (http.Handler, error) {
	hub := &live.Hub{}
	p.doors = d.Access(func() bool { return alone(carriers) })
	v4 = d.audited(v4)
	c, err := console.New(console.Config{
		Access: p.doors, Accounts: d.Store, Keys: d.Keys, Audit: d.Audit(), Hub: hub,
		Groups: append(d.consoleGroups(box, carriers, v4), d.deskGroups(carriers, v4, p.workings)...),
		Secure: d.secureCookies(), PublicURL: d.origin(), Now: d.Store.Now, Log: d.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("make the console: %w", err)
	}
	p.runs = append(p.runs, c.Run)
	if box.Inbox != nil {
		p.runs = append(p.runs, func(ctx context.Context) error { return box.Inbox.Tell(ctx, hub.Poke) })
	}
	return c, nil
}

// consoleGroups are the console's pages, in the order of the navigation.
func (d *Deployment) consoleGroups(box *Box, carriers *fleet.Fleet, v4 tyntecv4.Config) []page.Group {
	reports := report.New(d.Store, d.Keys)
	return []page.Group{
		d.phones(box, carriers, v4),
		otps.New(otps.Config{Reports: reports, Accounts: d.Store, Keys: d.Keys}), numbers.New(reports),
	}
}

// phones are the virtual phones.
func (d *Deployment) phones(box *Box, carriers *fleet.Fleet, v4 tyntecv4.Config) page.Group {
	c := phones.Config{
		API: newInside(d.Store, v4), Audit: d.Audit(), Serves: carriers.Serves,
		Alone: func() bool { return alone(carriers) }, PublicURL: d.Config.PublicURL,
	}
	if box.Inbox != nil {
		c.Inbox, c.Orders = box.Inbox, box.Orders
	}
	return phones.New(c)
}

// alone reports whether nothing but the sandbox carries messages.
func alone(carriers *fleet.Fleet) bool { return carriers.Serves() && carriers.Size() == 1 }
