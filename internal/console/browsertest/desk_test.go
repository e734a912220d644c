package browsertest_test

import (
	"testing"
	"time"
)

func (f *fixture) template(t *testing.T) {
	f.browser.run(t, "template", f.local.args(t, nil), nil)
}

func (f *fixture) letter(t *testing.T) {
	before := f.receiver.took.Load()
	f.browser.run(t, "letter", f.local.args(t, nil), nil)
	const want = 2 // the letter and the test event
	for begun := time.Now(); f.receiver.took.Load()-before < want; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("the receiver took %d events, want the letter and the test event", f.receiver.took.Load()-before)
		}
	}
}

func (f *fixture) key(t *testing.T) {
	f.browser.run(t, "key", f.local.args(t, nil), nil)
}
