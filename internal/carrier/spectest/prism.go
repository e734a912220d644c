package spectest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/npmtest"
	"github.com/countersign/countersign/internal/freeport"
)

// prism is the mock server, at the version that the carriers were checked with.
const prism = "@stoplight/prism-cli@5.16.0"

// EnvDir names the variable with the directory of specifications.
const EnvDir = "COUNTERSIGN_SPECS_DIR"

const (
	startBound = 2 * time.Minute // large documents take seconds, busy machines more
	endBound   = 5 * time.Second
)

// File returns the path of a specification below the directory that EnvDir
// names, such as "twilio/twilio_api_v2010.json". A test fails without it.
func File(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(EnvDir)
	if dir == "" {
		t.Fatalf("%s is not set: it names the directory of published specifications", EnvDir)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil { //nolint:gosec // who runs the tests names the directory
		t.Fatalf("find the specification: %v", err)
	}
	return path
}

// Prism starts the mock server with a specification and returns its base URL,
// "http://127.0.0.1:PORT". It answers a request that the specification allows
// with an example, one without credentials with 401, and another with 422 or
// the 400 of the specification. Paths begin where those of the document do; it
// knows nothing of the path in "servers". It ends with the test.
func Prism(t testing.TB, specFile string) (baseURL string) {
	t.Helper()
	modules := npmtest.Modules(t, prism)
	cmd := npmtest.Command(context.WithoutCancel(t.Context()), modules,
		filepath.Join(modules, "@stoplight", "prism-cli", "dist", "index.js"), "mock", "-h", "127.0.0.1", "-p", strconv.Itoa(freeport.Get(t)), specFile)
	said := &output{listening: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node (install Node.js 20 or later): %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // what it said tells more
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(endBound):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("Prism said:\n%s", said.text())
		}
	})
	select {
	case baseURL = <-said.listening:
		return baseURL
	case <-ended:
		t.Fatalf("Prism ended instead of serving %s:\n%s", specFile, said.text())
	case <-time.After(startBound):
		t.Fatalf("Prism does not serve %s:\n%s", specFile, said.text())
	}
	return ""
}

var listens = regexp.MustCompile(`Prism is listening on (http://127\.0\.0\.1:\d+)`)

// output collects what Prism says and waits for its address.
type output struct {
	listening chan string // gets one

	mu   sync.Mutex // guards what follows
	all  bytes.Buffer
	told bool
}

// Write takes output.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.all.Write(p) // it never fails
	if found := listens.FindSubmatch(o.all.Bytes()); found != nil && !o.told {
		o.told = true
		o.listening <- string(found[1])
	}
	return len(p), nil
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}
