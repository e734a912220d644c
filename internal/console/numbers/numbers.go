// Package numbers is the console's figures: what was sent, delivered and
// verified, by country, channel, carrier or template, as charts, as the tables
// behind them, and as CSV.
package numbers

import (
	"context"
	"embed"
	"io/fs"
	"net/http"
	"net/url"

	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/report"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Path is where the page is, below the console's base.
const Path = "/numbers"

// Reports read figures; report.Service does.
type Reports interface {
	Figures(ctx context.Context, q report.FiguresQuery) (report.Figures, error)
}

// Group is the page. It satisfies page.Group.
type Group struct{ reports Reports }

// New returns the page over reports.
func New(r Reports) *Group { return &Group{r} }

// Links implements page.Group.
func (g *Group) Links() []page.Link { return []page.Link{{Path: Path, Label: "Numbers"}} }

// Templates implements page.Group.
func (*Group) Templates() fs.FS { return page.Embedded(templateFiles) }

// Register implements page.Group.
func (g *Group) Register(r *page.Routes) {
	r.Handle("GET "+Path, page.Read, g.show)
	r.Handle("GET "+Path+".csv", page.Fresh, g.export)
}

func (g *Group) show(w http.ResponseWriter, r *page.Request) error {
	f, err := g.figures(r)
	if err != nil {
		return err
	}
	return r.Render(w, http.StatusOK, "numbers.html", view{f})
}

// figures reads what an address asks for: by day and country if it does not
// say.
func (g *Group) figures(r *page.Request) (report.Figures, error) {
	q := report.FiguresQuery{Account: r.Account, By: report.ByCountry, Span: report.Daily, Zone: r.Zone()}
	params := r.URL.Query()
	if text := params.Get("by"); text != "" {
		q.By = 0
		for _, d := range report.Dimensions() {
			if d.String() == text {
				q.By = d
			}
		}
	}
	if text := params.Get("per"); text != "" {
		q.Span = 0
		for _, s := range spans() {
			if s.String() == text {
				q.Span = s
			}
		}
	}
	if q.By == 0 || q.Span == 0 {
		return report.Figures{}, page.ErrNotFound
	}
	return g.reports.Figures(r.Context(), q) //nolint:wrapcheck // it says what it was doing
}

func spans() []report.Span { return []report.Span{report.Hourly, report.Daily, report.Weekly} }

// query is the address's part that asks for figures.
func query(d report.Dimension, s report.Span) string {
	return "?" + url.Values{"by": {d.String()}, "per": {s.String()}}.Encode()
}
