package browsertest_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/stolen"
)

// firstRunGoal is how long a newcomer may need; the machine's part of it, that
// is: people also read.
const firstRunGoal = time.Minute

func (f *fixture) firstRun(t *testing.T) {
	s := serve(t, f.binary)
	span := stolen.Start(t).Begin()
	var took struct{ Took int64 }
	f.browser.run(t, "firstRun", map[string]any{"link": s.link}, &took)
	d := time.Duration(took.Took) * time.Millisecond
	t.Logf("from the link to VERIFIED: %v", d)
	if taken := span.Taken(); d-taken > firstRunGoal && taken < d/2 {
		t.Errorf("from the link to VERIFIED: %v, want at most %v", d, firstRunGoal)
	}
}

// liveBound is ten times what is promised: other tests run meanwhile, so the
// figure is for people to read.
const liveBound = 3 * time.Second

func (f *fixture) live(t *testing.T) {
	var after struct{ Median, Worst int64 }
	span := stolen.Start(t).Begin()
	f.browser.run(t, "live", f.local.args(t, map[string]any{"second": f.local.invite(t, "owner")}), &after)
	t.Logf("from the carrier's submit to the second browser's page: median %d ms, worst %d ms", after.Median, after.Worst)
	// A machine that took as much meanwhile may have taken it from any of them.
	if d := time.Duration(after.Median) * time.Millisecond; d > liveBound && span.Taken() < liveBound {
		t.Errorf("a message came up after %v, want at most %v", d, liveBound)
	}
}

func (f *fixture) everyWay(t *testing.T) {
	f.browser.run(t, "everyWay", f.local.args(t, nil), nil)
}

func (f *fixture) orders(t *testing.T) {
	f.browser.run(t, "orders", f.local.args(t, nil), nil)
}

func (f *fixture) lost(t *testing.T) {
	var times struct{ Shown, Healed int64 }
	f.browser.run(t, "lost", f.local.args(t, nil), &times)
	t.Logf("a cut shows after %d ms; all that was missed is there %d ms after the end of it", times.Shown, times.Healed)
}

func (f *fixture) keyboard(t *testing.T) {
	f.browser.run(t, "keyboard", f.local.args(t, nil), nil)
}

func (f *fixture) withoutScript(t *testing.T) {
	f.browser.run(t, "withoutScript", f.local.args(t, nil), nil)
}
