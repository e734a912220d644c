package browsertest_test

import "testing"

func (f *fixture) names(t *testing.T) {
	var seen struct{ Pages int }
	s := serve(t, f.binary) // of its own: what it makes would stand in the pictures
	f.browser.run(t, "names", s.args(t, nil), &seen)
	t.Logf("%d pages", seen.Pages)
}
