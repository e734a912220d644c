package browsertest_test

import (
	"strings"
	"testing"
)

func (f *fixture) names(t *testing.T) {
	var seen struct{ Pages int }
	s := serve(t, f.binary) // of its own: what it makes would stand in the pictures
	mails := []string{
		"maximiliane.mustermann-hintertupfing@kundenportal.example-company.de",
		strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "de",
	}
	for _, to := range mails {
		s.command(t, "send", "--account", "default", "--to", to)
	}
	f.browser.run(t, "names", s.args(t, map[string]any{"mails": mails}), &seen)
	t.Logf("%d pages", seen.Pages)
}
