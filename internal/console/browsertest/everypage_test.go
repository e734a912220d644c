package browsertest_test

import (
	"strings"
	"testing"
)

func (f *fixture) axe(t *testing.T) {
	var seen struct {
		Pages int
		Kinds []string
	}
	f.browser.run(t, "axe", f.local.args(t, map[string]any{"guarded": f.guarded.invite(t, "owner")}), &seen)
	t.Logf("%d pages: %s", seen.Pages, strings.Join(seen.Kinds, " "))
}

func (f *fixture) plain(t *testing.T) {
	var seen struct{ Pages int }
	f.browser.run(t, "plain", f.local.args(t, nil), &seen)
	t.Logf("%d pages", seen.Pages)
}

func (f *fixture) masked(t *testing.T) {
	var seen struct{ Pages int }
	f.browser.run(t, "masked", f.local.args(t, map[string]any{
		"support": f.local.invite(t, "support"), "numbers": []string{"+4915112340300", "+4915112340401"},
	}), &seen)
	t.Logf("%d pages", seen.Pages)
}
