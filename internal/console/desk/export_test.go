package desk

import "github.com/countersign/countersign/internal/console/page"

// Substitute, Substituted and Inspected are what previews are made with.
var (
	Substitute  = substitute
	Substituted = substituted
)

// Needs are the routes with what they ask for.
func (g *Group) Needs() map[string]page.Needs {
	all := map[string]page.Needs{}
	for _, r := range g.routes() {
		all[r.pattern] = r.needs
	}
	return all
}

// LanguageName is what pages call a language.
var LanguageName = languageName
