// Package desk is the operator's desk in the console: what an account sends
// with (templates, profiles, priorities, applications), where its events go
// (callbacks), who may call (keys), its settings, and how the deployment does
// (carriers, queues, nodes).
//
// Changes go through the APIs within the process, so that a form is held to the
// very rules of the API, and through package ledger, so that each is audited.
package desk

import (
	"context"
	"embed"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/upkeep"
)

//go:embed templates/*.html
var templateFiles embed.FS

// API calls one of the APIs for an account, in this process. What it changes is
// in the audit list.
type API interface {
	Call(ctx context.Context, account, method, path, body string) (status int, answer []byte)
}

// Accounts is what the desk asks of accounts and keys; the store does.
type Accounts interface {
	Account(ctx context.Context, name string) (account.Account, error)
	SetSettings(ctx context.Context, name string, settings map[string]string) error
	Keys(ctx context.Context, account string) ([]account.Key, error)
	CreateKey(ctx context.Context, k account.Key) error
	RevokeKey(ctx context.Context, id string) error
}

// Keys seal positions in lists; the keyring does.
type Keys interface {
	Seal(plain []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Carrier is how a carrier does on this node.
type Carrier struct {
	Name, Type string
	Channels   []message.Channel
	Links      []Link
	Busy       int    // submits under way
	Circuit    string // "closed", "open" or "operator"
	Since      time.Time
	Probe      time.Time // when it is tried next, if it is not closed
	LastError  string
	LastAt     time.Time
}

// Link is a connection that a carrier keeps.
type Link struct {
	Name, LastError string
	Up              bool
}

// Node is a server process that was seen at work.
type Node struct {
	Name, Version string
	Started, Seen time.Time
	This          bool
}

// Defaults are what the version 4 API takes where a request names none; a form
// for something new begins with them.
type Defaults struct {
	Attempts   int // of a profile
	CodeLength int // of a profile, in characters
	Minutes    int // of a template
}

// ErrQuarantined is returned for what is not done while the database is
// quarantined.
var ErrQuarantined = errors.New("the database is quarantined")

// Config is what a Group is made of. Every field is needed but Notices.
type Config struct {
	V4, V1  API
	Catalog *catalog.Service // its store is a ledger.Catalog
	Letters callback.DeskStore
	// Test posts a test event now, or fails with ErrQuarantined.
	Test     func(ctx context.Context, to callback.Post) (callback.Outcome, error)
	Accounts Accounts
	Settings account.Settings
	// Reserved reports whether the account's setting is the operator's alone:
	// owners see it and do not change it.
	Reserved func(a account.Account, key string) bool
	Keys     Keys
	Audit    ledger.Auditor
	Random   io.Reader

	// Text is what a template says, AppText what a text of an application says
	// whose codes live that long.
	Text    func(t catalog.Template) message.Template
	AppText func(text string, life time.Duration) message.Template
	MaxCode int // characters of the longest code there can be

	Defaults Defaults

	Carriers func() []Carrier
	Queues   func(ctx context.Context) (upkeep.Queues, error)
	Nodes    func(ctx context.Context) ([]Node, error)
	Mode     string
	// Notices are what the operator loosened, one sentence each (W-03).
	Notices []string
}

// Group is the desk's pages. It satisfies page.Group.
type Group struct{ cfg Config }

// New returns the pages over c.
func New(c Config) *Group { return &Group{c} }

// Links implements page.Group.
func (*Group) Links() []page.Link {
	return []page.Link{
		{Path: "/templates", Label: "Templates"},
		{Path: "/plans", Label: "Profiles"},
		{Path: "/callbacks", Label: "Callbacks"},
		{Path: "/keys", Label: "Keys"},
		{Path: "/operation", Label: "Operation"},
	}
}

// Templates implements page.Group.
func (*Group) Templates() fs.FS { return page.Embedded(templateFiles) }

// route is a route of the desk.
type route struct {
	pattern string
	needs   page.Needs
	handle  page.Handler
}

// Register implements page.Group.
func (g *Group) Register(r *page.Routes) {
	for _, one := range g.routes() {
		r.Handle(one.pattern, one.needs, func(w http.ResponseWriter, r *page.Request) error {
			if r.Method == http.MethodPost {
				r.Request = r.WithContext(ledger.WithActor(r.Context(), r.Session.Actor()))
			}
			return one.handle(w, r)
		})
	}
}

// routes are all there are. Owners change; what shows or changes URLs and keys
// asks for the password again.
func (g *Group) routes() []route {
	const read, owner, fresh = page.Read, page.Owner, page.Owner | page.Fresh
	return []route{
		{"GET /templates", read, g.listTexts},
		{"GET /templates/new", owner, g.newText},
		{"POST /templates", owner, g.createText},
		{"POST /templates/preview", read, g.previewText},
		{"GET /templates/text/{id}", read, g.showText},
		{"POST /templates/text/{id}", owner, g.changeText},
		{"POST /templates/text/{id}/delete", owner, g.deleteText},
		{"GET /templates/whatsapp", read, g.listWhatsApp},
		{"POST /templates/whatsapp", owner, g.submitWhatsApp},
		{"POST /templates/whatsapp/account", owner, g.nameWhatsApp},
		{"POST /templates/whatsapp/delete", owner, g.deleteWhatsApp},

		{"GET /plans", read, g.listProfiles},
		{"GET /plans/profiles/new", owner, g.newProfile},
		{"POST /plans/profiles", owner, g.createProfile},
		{"GET /plans/profiles/{id}", read, g.showProfile},
		{"POST /plans/profiles/{id}", owner, g.changeProfile},
		{"POST /plans/profiles/{id}/delete", owner, g.deleteProfile},
		{"GET /plans/priorities", read, g.listPriorities},
		{"GET /plans/priorities/new", owner, g.newPriority},
		{"POST /plans/priorities", owner, g.createPriority},
		{"GET /plans/priorities/{id}", read, g.showPriority},
		{"POST /plans/priorities/{id}", owner, g.changePriority},
		{"POST /plans/priorities/{id}/delete", owner, g.deletePriority},
		{"GET /plans/applications", read, g.listApplications},
		{"GET /plans/applications/new", owner, g.newApplication},
		{"POST /plans/applications", owner, g.createApplication},
		{"GET /plans/applications/{id}", read, g.showApplication},
		{"POST /plans/applications/{id}", owner, g.changeApplication},
		{"POST /plans/applications/{id}/delete", owner, g.deleteApplication},
		{"POST /plans/applications/{id}/text", owner, g.setAppText},
		{"POST /plans/applications/{id}/text/delete", owner, g.deleteAppText},

		{"GET /callbacks", read, g.listCallbacks},
		{"GET /callbacks/new", owner, g.newCallback},
		{"POST /callbacks", fresh, g.createCallback},
		{"GET /callbacks/{id}", read, g.showCallback},
		{"GET /callbacks/{id}/edit", fresh, g.editCallback},
		{"POST /callbacks/{id}/edit", fresh, g.changeCallback},
		{"POST /callbacks/{id}/delete", fresh, g.deleteCallback},
		{"POST /callbacks/{id}/test", owner, g.testCallback},
		{"POST /callbacks/{id}/rotate", fresh, g.rotateSecret},
		{"POST /callbacks/{id}/replay", owner, g.replayLetter},
		{"POST /callbacks/{id}/replay-all", owner, g.replayLetters},

		{"GET /keys", read, g.listKeys},
		{"POST /keys", fresh, g.createKey},
		{"POST /keys/revoke/{id}", fresh, g.revokeKey},
		{"GET /keys/settings", read, g.showSettings},
		{"POST /keys/settings", owner, g.changeSettings},

		{"GET /operation", read, g.showOperation},
	}
}
