package browsertest_test

import "testing"

func (f *fixture) ended(t *testing.T) {
	f.browser.run(t, "ended", f.local.args(t, nil), nil)
}

func (f *fixture) behind(t *testing.T) {
	f.browser.run(t, "behind", f.local.args(t, nil), nil)
}

func (f *fixture) expired(t *testing.T) {
	f.browser.run(t, "expired", f.local.args(t, nil), nil)
}

func (f *fixture) asked(t *testing.T) {
	f.browser.run(t, "asked", f.local.args(t, map[string]any{"other": f.local.invite(t, "support")}), nil)
}

func (f *fixture) focus(t *testing.T) {
	f.browser.run(t, "focus", f.local.args(t, nil), nil)
}

func (f *fixture) shown(t *testing.T) {
	f.browser.run(t, "shown", f.local.args(t, map[string]any{"support": f.local.invite(t, "support")}), nil)
}

func (f *fixture) pressed(t *testing.T) {
	f.browser.run(t, "pressed", f.local.args(t, map[string]any{"support": f.local.invite(t, "support")}), nil)
}

func (f *fixture) left(t *testing.T) {
	f.browser.run(t, "left", f.local.args(t, nil), nil)
}

func (f *fixture) hung(t *testing.T) {
	f.browser.run(t, "hung", f.local.args(t, nil), nil)
}
