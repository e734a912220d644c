package browsertest_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/npmtest"
)

// What drives the browser, and what judges its pages.
const (
	playwright = "playwright-core@1.65.1"
	axe        = "axe-core@4.14.1"
)

// caseBound is how long a case may take on a busy machine.
const caseBound = 10 * time.Minute

// browser is one Chromium in which many cases run at once.
type browser struct {
	in io.Writer

	mu      sync.Mutex // guards what follows, and in
	last    int
	waiting map[int]chan reply
}

// reply is what came of a case.
type reply struct {
	ID     int             `json:"id"`
	Error  string          `json:"error"`
	Shown  string          `json:"shown"`
	Result json.RawMessage `json:"result"`
}

// chromium finds the browser that the system has.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium is installed; on Debian: apt-get install chromium")
	return ""
}

// launch starts the browser; it ends with the test.
func launch(t testing.TB) *browser {
	t.Helper()
	node := npmtest.Start(t, npmtest.Modules(t, playwright, axe), "testdata/browser.cjs", chromium(t))
	b := &browser{in: node.In, waiting: map[int]chan reply{}}
	go func() {
		for line := range node.Lines {
			var r reply
			if err := json.Unmarshal(line, &r); err != nil {
				r.Error = "browser.cjs wrote " + string(line)
			}
			b.mu.Lock()
			if c := b.waiting[r.ID]; c != nil {
				c <- r
				delete(b.waiting, r.ID)
			}
			b.mu.Unlock()
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for id, c := range b.waiting {
			c <- reply{ID: id, Error: "the browser ended"}
			delete(b.waiting, id)
		}
	}()
	return b
}

// run runs a case of testdata and fails the test with it. into gets what the
// case returned, nil for nothing.
func (b *browser) run(t *testing.T, name string, args map[string]any, into any) {
	t.Helper()
	c := make(chan reply, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = c
	err := json.NewEncoder(b.in).Encode(map[string]any{"id": id, "name": name, "args": args})
	b.mu.Unlock()
	if err != nil {
		t.Fatalf("ask the browser: %v", err)
	}
	select {
	case r := <-c:
		if r.Error != "" {
			t.Fatalf("%s: %s\n%s", name, r.Error, r.Shown)
		}
		if into != nil {
			if err := json.Unmarshal(r.Result, into); err != nil {
				t.Fatalf("%s returned %s: %v", name, r.Result, err)
			}
		}
	case <-time.After(caseBound):
		t.Fatalf("%s does not end", name)
	}
}
