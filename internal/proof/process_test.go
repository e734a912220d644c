package proof_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// binaryEnv names a program to prove instead of the one built from this source.
const binaryEnv = "COUNTERSIGN_PROOF_BINARY"

// binary is the real program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	if given := os.Getenv(binaryEnv); given != "" {
		return given, nil
	}
	dir, err := os.MkdirTemp("", "countersign-binary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "countersign")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/countersign")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil && os.Getenv(binaryEnv) == "" {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// text is what a process writes; many goroutines read it meanwhile.
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

// process is a running server.
type process struct {
	t      testing.TB
	dir    string
	cmd    *exec.Cmd
	url    string
	key    string // of the account default, "" if it was not printed
	out    *text
	log    *text
	ready  time.Duration // from the start to the first 200 of /readyz
	client *http.Client
	ended  chan error
}

// serve starts the program on dir with further settings and waits until it is
// ready.
func serve(t testing.TB, dir string, environ ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: dir, out: &text{}, log: &text{}, ended: make(chan error, 1)}
	p.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, "serve")
	p.cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir,
		"COUNTERSIGN_DATA_DIR=" + dir, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_ADMIN_LISTEN=", "COUNTERSIGN_LOG_FORMAT=json",
	}, environ...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.log
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(io.TeeReader(stdout, p.out)); lines.Scan(); {
			if address, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				listening <- address
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	select {
	case p.url = <-listening:
	case err := <-p.ended:
		p.ended <- err // for kill
		t.Fatalf("the server ended at its start: %v\n%s", err, p.log)
	case <-time.After(patience):
		t.Fatalf("the server does not listen\n%s", p.log)
	}
	for {
		status, _, err := p.do(t.Context(), http.MethodGet, "/readyz", "", nil)
		if err == nil && status == http.StatusOK {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("the server is not ready: %d, %v\n%s", status, err, p.log)
		}
		time.Sleep(2 * time.Millisecond)
	}
	p.ready = time.Since(begun)
	if m := regexp.MustCompile(`(?m)^API key (\S+)$`).FindStringSubmatch(p.out.String()); m != nil {
		p.key = m[1]
	}
	return p
}

// as is the process as another test has it.
func (p *process) as(t testing.TB) *process {
	seen := *p
	seen.t = t
	return &seen
}

// ran is what a command wrote.
type ran struct {
	out string // without blanks around it
	log []byte
}

// command runs the program beside the server of dir.
func command(t testing.TB, dir, stdin string, args ...string) ran {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = []string{"HOME=" + dir, "COUNTERSIGN_DATA_DIR=" + dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_LOG_FORMAT=json"}
	cmd.Stdin = strings.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	_ = cmd.Run() // some are meant to fail
	return ran{strings.TrimSpace(out.String()), log.Bytes()}
}

// kill ends the process as a power cut would and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone()
	p.client.CloseIdleConnections()
}

// stop ends the process as an operator would.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.gone():
	case <-time.After(patience):
		p.t.Fatalf("the server does not end\n%s", p.log)
	}
	p.client.CloseIdleConnections()
}

// gone is closed once the process has ended.
func (p *process) gone() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		err := <-p.ended
		p.ended <- err // for whoever asks next
		close(c)
	}()
	return c
}

// do makes a request with the key.
func (p *process) do(ctx context.Context, method, path, body string, header map[string]string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("apiKey", p.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// must is do that expects a status.
func (p *process) must(status int, method, path, body string) []byte {
	p.t.Helper()
	got, b, err := p.do(p.t.Context(), method, path, body, nil)
	if err != nil || got != status {
		p.t.Fatalf("%s %s = %d %s, %v; want %d\n%s", method, path, got, b, err, status, p.log)
	}
	return b
}

// configure makes the profile "login" with a number of attempts, sent by SMS
// and, failing that, by VOICE.
func (p *process) configure(attempts int) {
	p.t.Helper()
	p.must(201, "POST", "/2fa/v4/templates/sms", `{"name":"login_sms","language":"en","message":"Your code is {{otp_code}}, valid {{expiration_time}} minutes."}`)
	p.must(201, "POST", "/2fa/v4/templates/voice", `{"name":"login_call","language":"en","message":"Your code is {{otp_code}}."}`)
	p.must(201, "POST", "/2fa/v4/profiles", fmt.Sprintf(`{"name":"login","attempts":%d,"channels":[
		{"type":"SMS","templates":[{"name":"login_sms"}]},{"type":"VOICE","templates":[{"name":"login_call"}]}]}`, attempts))
	p.must(201, "POST", "/2fa/v4/priorities", `{"name":"sms-then-voice","channelPriority":[
		{"channel":"SMS","priority":1},{"channel":"VOICE","priority":2}]}`)
}

func sendBody(to, code string) string {
	return fmt.Sprintf(`{"to":%q,"profileName":"login","priorityName":"sms-then-voice","otpCode":%q}`, to, code)
}

func codeBody(code string) string { return fmt.Sprintf(`{"otpCode":%q}`, code) }

// idOf reads the answer of a send.
func idOf(b []byte) (string, error) {
	var created struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(b, &created); err != nil || created.ID == "" {
		return "", errors.New("no id in " + string(b))
	}
	return created.ID, nil
}

// statusOf reads the answer of a check or of a read.
func statusOf(b []byte) string {
	var answer struct {
		OTPStatus string `json:"otpStatus"`
	}
	_ = json.Unmarshal(b, &answer) // "" says enough
	return answer.OTPStatus
}
