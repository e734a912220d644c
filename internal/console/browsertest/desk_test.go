package browsertest_test

import "testing"

func (f *fixture) template(t *testing.T) {
	f.browser.run(t, "template", f.local.args(t, nil), nil)
}

func (f *fixture) letter(t *testing.T) {
	before := f.receiver.took.Load()
	f.browser.run(t, "letter", f.local.args(t, nil), nil)
	if got := f.receiver.took.Load() - before; got < 2 { // the letter and the test event
		t.Errorf("the receiver took %d events, want the letter and the test event", got)
	}
}

func (f *fixture) key(t *testing.T) {
	f.browser.run(t, "key", f.local.args(t, nil), nil)
}
