// Package otps is the console's search for OTPs and the page with one OTP's
// story. Neither ever shows a code.
package otps

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Path is where the pages are, below the console's base.
const Path = "/otps"

// Reports answer what is asked here; report.Service does.
type Reports interface {
	RecipientKey(account string, to phone.Recipient) [16]byte
	Search(ctx context.Context, q report.Query) (report.Page, error)
	Story(ctx context.Context, account, id string, zone *time.Location) (report.Story, error)
}

// Config is what a Group is made of. Every field is needed.
type Config struct {
	Reports  Reports
	Accounts page.Accounts
	Keys     page.Keys
}

// Group is the pages. It satisfies page.Group.
type Group struct{ cfg Config }

// New returns the pages over c.
func New(c Config) *Group { return &Group{c} }

// Links implements page.Group.
func (g *Group) Links() []page.Link { return []page.Link{{Path: Path, Label: "OTPs"}} }

// Templates implements page.Group.
func (*Group) Templates() fs.FS { return page.Embedded(templateFiles) }

// Register implements page.Group.
func (g *Group) Register(r *page.Routes) {
	r.Handle("GET "+Path, page.Read, g.list)
	r.Handle("POST "+Path, page.Read, g.search)
	r.Handle("GET "+Path+"/{id}", page.Read, g.show)
	r.Handle("GET "+Path+"/{id}/story", page.Read, g.story)
	r.Live("otp", live.SourceFunc(g.version))
}

// show answers with the page of one OTP.
func (g *Group) show(w http.ResponseWriter, r *page.Request) error {
	s, err := g.read(r)
	if err != nil {
		return err
	}
	return r.Render(w, http.StatusOK, "otp.html", s)
}

// story answers with the part of the page that goes on living.
func (g *Group) story(w http.ResponseWriter, r *page.Request) error {
	s, err := g.read(r)
	if err != nil {
		return err
	}
	return r.Fragment(w, http.StatusOK, "otp.html", "story", s)
}

func (g *Group) read(r *page.Request) (story, error) {
	s, err := g.cfg.Reports.Story(r.Context(), r.Account, r.PathValue("id"), r.Zone())
	if errors.Is(err, report.ErrNotFound) {
		return story{}, page.ErrNotFound
	}
	if err != nil {
		return story{}, err //nolint:wrapcheck // it says what it was doing
	}
	s.Reference = ownReference(s.Summary)
	if !r.IsOwner() {
		s = s.Masked() // the number is too
	}
	return story{s}, nil
}

// version changes whenever an OTP's story does.
func (g *Group) version(ctx context.Context, account, id string) (string, error) {
	s, err := g.cfg.Reports.Story(ctx, account, id, nil)
	if errors.Is(err, report.ErrNotFound) {
		return "gone", nil
	}
	if err != nil {
		return "", err //nolint:wrapcheck // as above
	}
	return fmt.Sprintf("%d %d %s", len(s.Timeline), len(s.Planned), s.Why), nil
}
