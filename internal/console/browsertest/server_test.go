package browsertest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/freeport"
)

// patience bounds every wait for something that must come.
const patience = 2 * time.Minute

// build builds the program once, as people run it.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "../../../cmd/countersign")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// server is a running program on a data directory of its own.
type server struct {
	binary  string
	data    string // directory
	environ []string
	url     string
	link    string // the console link of the first start
	key     string // the first API key
	client  *http.Client

	cmd   *exec.Cmd
	ended chan error
	log   *text
}

// text is what a process writes while others may read it.
type text struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// serve starts the program on an empty directory with further settings; PORT in
// them is its port.
func serve(t testing.TB, binary string, environ ...string) *server {
	t.Helper()
	dir := t.TempDir()
	port := strconv.Itoa(freeport.Get(t))
	s := &server{binary: binary, data: filepath.Join(dir, "data"), log: &text{}, client: &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // the certificate is our own
	}}
	s.environ = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "COUNTERSIGN_DATA_DIR=" + s.data,
		"COUNTERSIGN_LISTEN=127.0.0.1:" + port, "COUNTERSIGN_ADMIN_LISTEN=", "COUNTERSIGN_LOG_FORMAT=json",
	}
	for _, e := range environ {
		s.environ = append(s.environ, strings.ReplaceAll(e, "PORT", port))
	}
	s.start(t)
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

// start runs the program and waits until it is ready.
func (s *server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), s.binary, "serve")
	s.cmd.Env, s.cmd.Stderr = s.environ, s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, ended := make(chan string, 16), make(chan error, 1)
	s.ended = ended
	go func() {
		for all := bufio.NewScanner(out); all.Scan(); {
			lines <- all.Text()
		}
		close(lines)
		ended <- s.cmd.Wait()
	}()
	deadline := time.After(patience)
	for first := s.url == ""; s.url == "" || first && s.link == ""; {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatalf("the server ended at its start: %v\n%s", <-ended, s.log)
			}
			for prefix, to := range map[string]*string{"listening on ": &s.url, "API key ": &s.key, "console ": &s.link} {
				if rest, ok := strings.CutPrefix(line, prefix); ok {
					*to = rest
				}
			}
		case <-deadline:
			t.Fatalf("the server does not say where it listens\n%s", s.log)
		}
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		status, _, err := s.do(t.Context(), http.MethodGet, "/readyz", nil)
		if err == nil && status == http.StatusOK {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("the server is not ready: %d, %v\n%s", status, err, s.log)
		}
	}
}

// stop ends the program as an operator would, and waits.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server ended with %v\n%s", err, s.log)
		}
	case <-time.After(patience):
		t.Error("the server does not end")
		_ = s.cmd.Process.Kill()
		<-s.ended //nolint:errcheck // it was killed
	}
	s.cmd = nil
}

func (s *server) do(ctx context.Context, method, path string, body any) (int, []byte, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, reader)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("apiKey", s.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, raw, err
}

// post asks the API for something that must work.
func (s *server) post(t testing.TB, path string, body any) {
	t.Helper()
	status, raw, err := s.do(t.Context(), http.MethodPost, path, body)
	if err != nil || status >= http.StatusBadRequest {
		t.Fatalf("POST %s: %d, %v\n%s", path, status, err, raw)
	}
}

// invite makes a one-time link.
func (s *server) invite(t testing.TB, role string) string {
	t.Helper()
	return s.command(t, "console", "invite", "--account", "default", "--role", role)
}

// command runs a command of the program that must work, and returns what it says.
func (s *server) command(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.binary, args...)
	cmd.Env = s.environ
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			said = string(e.Stderr)
		}
		t.Fatalf("%v: %v\n%s", args, err, said)
	}
	return strings.TrimSpace(string(out))
}
