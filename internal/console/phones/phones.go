// Package phones is the console's virtual phones: what the sandbox carrier
// received, as the people would see it. From here a test code can be sent and
// typed in, over the version 4 API, and what becomes of the next messages to a
// number can be chosen.
package phones

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/phone"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Path is where the phones are, below the console's base.
const Path = "/phones"

// Inbox reads what the sandbox received; sandbox.Inbox does.
type Inbox interface {
	List(ctx context.Context, q sandbox.Query) ([]sandbox.Message, error)
	KeyOf(to phone.Recipient) [16]byte
}

// Orders choose what becomes of the next messages; sandbox.Orders does.
type Orders interface {
	Put(ctx context.Context, account string, recipientKey [16]byte, does sandbox.Order) error
	Of(ctx context.Context, account string) (map[[16]byte]sandbox.Order, error)
}

// API calls the version 4 API for an account, in this process.
type API interface {
	Call(ctx context.Context, account, method, path, body string) (status int, answer []byte)
}

// Config is what a Group is made of. Inbox and Orders are nil where there can be
// no sandbox.
type Config struct {
	Inbox  Inbox
	Orders Orders
	API    API
	Audit  access.Auditor
	// Serves reports whether the sandbox carries anything now, Alone whether
	// nothing else does: only then a test code stays on this machine.
	Serves func() bool
	Alone  func() bool
	// PublicURL is where people reach the API, nil if not known.
	PublicURL *url.URL
}

// Group is the pages of the phones. It satisfies page.Group.
type Group struct{ cfg Config }

// New returns the pages over c.
func New(c Config) *Group { return &Group{c} }

// serves reports whether there are phones at all.
func (g *Group) serves() bool { return g.cfg.Inbox != nil && g.cfg.Serves() }

// Links implements page.Group: there are phones while the sandbox carries
// anything.
func (g *Group) Links() []page.Link {
	if !g.serves() {
		return nil
	}
	return []page.Link{{Path: Path, Label: "Virtual phones"}}
}

// Templates implements page.Group.
func (*Group) Templates() fs.FS { return page.Embedded(templateFiles) }

// Register implements page.Group.
func (g *Group) Register(r *page.Routes) {
	handle := func(pattern string, needs page.Needs, h page.Handler) {
		r.Handle(pattern, needs, func(w http.ResponseWriter, r *page.Request) error {
			if !g.serves() {
				return page.ErrNotFound
			}
			return h(w, r)
		})
	}
	handle("GET /phones", page.Read, g.overview)
	handle("GET /phones/wall", page.Read, g.wall)
	handle("POST /phones", page.Owner, g.send)
	handle("GET /phones/open", page.Read, g.openOf)
	handle("POST /phones/open", page.Read, g.open)
	handle("GET /phones/{key}", page.Read, g.one)
	handle("GET /phones/{key}/screen", page.Read, g.screen)
	handle("GET /phones/{key}/{form}", page.Read, back)
	handle("POST /phones/{key}/order", page.Owner, g.order)
	handle("POST /phones/{key}/check", page.Owner, g.check)
	r.Live("phones", live.Soon(live.SourceFunc(g.version)))
}

// back leads from the address of a form that came back to the phone it is on,
// for whoever loads that page again.
func back(w http.ResponseWriter, r *page.Request) error {
	if _, ok := parseKey(r.PathValue("key")); !ok {
		return page.ErrNotFound
	}
	return r.Redirect(w, Path+"/"+r.PathValue("key"), page.Flash{})
}

// versionOf is how many of the newest messages make a version: more than come
// between two looks would not be told apart, but those poke the stream.
const versionOf = 20

// version changes with every message and order, of the phone whose key is rest,
// or any.
func (g *Group) version(ctx context.Context, account, rest string) (string, error) {
	if !g.serves() {
		return "none", nil
	}
	q := sandbox.Query{Account: account, Limit: versionOf}
	if rest != "" {
		key, ok := parseKey(rest)
		if !ok {
			return "none", nil
		}
		q.Key = key
	}
	list, err := g.cfg.Inbox.List(ctx, q)
	if err != nil {
		return "", err //nolint:wrapcheck // it says what it was doing
	}
	orders, err := g.cfg.Orders.Of(ctx, account)
	if err != nil {
		return "", err //nolint:wrapcheck // it says what it was doing
	}
	var version strings.Builder
	for _, m := range list {
		version.WriteString(m.ID)
	}
	for _, key := range slices.SortedFunc(maps.Keys(orders), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
		if rest == "" || key == q.Key {
			fmt.Fprint(&version, key, orders[key])
		}
	}
	return version.String(), nil
}

// parseKey reads the key in a URL, which stands for a recipient: numbers are
// not written there (P-02).
func parseKey(text string) (key [16]byte, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(key) {
		return key, false
	}
	copy(key[:], raw)
	return key, key != [16]byte{}
}

func formatKey(key [16]byte) string { return hex.EncodeToString(key[:]) }
