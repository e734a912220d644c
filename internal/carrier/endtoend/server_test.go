package endtoend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

// patience bounds every wait for something that must come.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer is what a server logs; many goroutines write to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// event is a callback as its receiver reads it.
type event struct {
	OTPID  string `json:"otpId"`
	Status string `json:"status"`
}

// journey is a server in this process, with a receiver of callbacks.
type journey struct {
	t          *testing.T
	file       string // with the settings
	environ    []string
	url, admin string
	key        string
	log        *buffer
	client     *http.Client
	hangups    chan os.Signal
	cancel     context.CancelFunc
	ended      chan error

	mu     sync.Mutex // guards what follows
	events []event
}

// travel starts a server with carriers from a TOML file.
func travel(t *testing.T, toml string, environ ...string) *journey {
	t.Helper()
	j := &journey{t: t, file: filepath.Join(t.TempDir(), "countersign.toml"), log: &buffer{}, hangups: make(chan os.Signal, 1), ended: make(chan error, 1)}
	j.write(toml)
	environ = append([]string{
		"COUNTERSIGN_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_ADMIN_LISTEN=127.0.0.1:0",
		"COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true", "SMSC_PASSWORD=secret",
	}, environ...)
	j.environ = environ
	load := func() (config.Config, error) {
		return config.Load(config.Sources{File: j.file, Environ: environ})
	}
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	type addresses struct{ api, admin net.Addr }
	started := make(chan addresses, 1)
	var out buffer
	s := &server.Server{
		Config: c, Log: slog.New(slog.NewTextHandler(j.log, nil)), Version: "test", Out: &out, Notice: time.Millisecond,
		Started: func(api, admin net.Addr) { started <- addresses{api, admin} },
		Hangups: j.hangups, Reread: load,
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	j.cancel = cancel
	go func() { j.ended <- s.Run(ctx) }()
	select {
	case a := <-started:
		j.url, j.admin = "http://"+a.api.String(), "http://"+a.admin.String()
	case err := <-j.ended:
		cancel()
		t.Fatalf("the server did not start: %v\n%s", err, j.log)
	case <-time.After(patience):
		cancel()
		t.Fatal("the server did not start in time")
	}
	j.key = regexp.MustCompile(`(?m)^API key (\S+)$`).FindStringSubmatch(out.String())[1]
	transport := &http.Transport{}
	j.client = &http.Client{Transport: transport, Timeout: patience}
	receiver := httptest.NewServer(http.HandlerFunc(j.receive))
	t.Cleanup(func() {
		cancel()
		select {
		case err = <-j.ended:
		case <-time.After(patience):
			err = errors.New("the server did not end in time")
		}
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
		receiver.Close()
		transport.CloseIdleConnections()
		if t.Failed() {
			t.Logf("log:\n%s", j.log)
		}
	})
	j.must(201, "POST", "/2fa/v4/templates/sms", `{"name":"login","language":"en","message":"Your code is {{otp_code}}."}`)
	j.must(201, "POST", "/2fa/v4/templates/voice", `{"name":"call","language":"en","message":"Your code is {{otp_code}}."}`)
	j.must(201, "POST", "/2fa/v4/profiles", `{"name":"login","channels":[
		{"type":"SMS","templates":[{"name":"login"}]},{"type":"VOICE","templates":[{"name":"call"}]}]}`)
	j.must(201, "POST", "/2fa/v4/priorities", `{"name":"sms","channelPriority":[{"channel":"SMS","priority":1}]}`)
	j.must(201, "POST", "/2fa/v4/priorities", `{"name":"voice","channelPriority":[{"channel":"VOICE","priority":1}]}`)
	j.must(201, "POST", "/2fa/v4/configurations/callbacks", `{"url":"`+receiver.URL+`/events"}`)
	return j
}

// write replaces the settings; a reload reads them.
func (j *journey) write(toml string) {
	j.t.Helper()
	if err := os.WriteFile(j.file, []byte(toml), 0o600); err != nil {
		j.t.Fatal(err)
	}
}

// reload writes the settings, asks for a reload as SIGHUP does, and waits until
// the log tells of it.
func (j *journey) reload(toml, says string) {
	j.t.Helper()
	before := strings.Count(j.log.String(), says)
	j.write(toml)
	j.hangups <- os.Interrupt
	j.until("the log says "+says, func() bool { return strings.Count(j.log.String(), says) > before })
}

func (j *journey) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e event
	if err == nil {
		err = json.Unmarshal(body, &e)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

// until waits until ok.
func (j *journey) until(what string, ok func() bool) {
	j.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			j.t.Fatalf("not in time: %s", what)
		}
	}
}

func (j *journey) call(method, path, body string) (int, string) {
	j.t.Helper()
	url := j.url + path
	if strings.HasPrefix(path, "http") {
		url = path
	}
	req, err := http.NewRequestWithContext(j.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		j.t.Fatal(err)
	}
	req.Header.Set("apiKey", j.key)
	resp, err := j.client.Do(req)
	if err != nil {
		j.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		j.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (j *journey) must(status int, method, path, body string) string {
	j.t.Helper()
	got, text := j.call(method, path, body)
	if got != status {
		j.t.Fatalf("%s %s = %d %s; want %d", method, path, got, text, status)
	}
	return text
}

// numbers are a different recipient for every send, so that no limit counts.
var numbers = func() func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("+49151123%05d", n)
	}
}()

func (j *journey) send(priority string) (otp string) {
	j.t.Helper()
	text := j.must(202, "POST", "/2fa/v4/otp", `{"to":"`+numbers()+`","profileName":"login","priorityName":"`+priority+`"}`)
	var created struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(text), &created); err != nil || created.ID == "" {
		j.t.Fatalf("no id in %s: %v", text, err)
	}
	return created.ID
}

// statuses are the callbacks about an OTP so far, in order.
func (j *journey) statuses(otp string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for _, e := range j.events {
		if e.OTPID == otp {
			out = append(out, e.Status)
		}
	}
	return out
}

// told waits for the callbacks about an OTP and expects these.
func (j *journey) told(otp string, want ...string) {
	j.t.Helper()
	j.until(fmt.Sprintf("callbacks %v", want), func() bool { return len(j.statuses(otp)) >= len(want) })
	if got := j.statuses(otp); !slices.Equal(got, want) {
		j.t.Errorf("callbacks %v; want %v", got, want)
	}
}

// metric returns the lines of a metric.
func (j *journey) metric(name string) string {
	j.t.Helper()
	var out []string
	for line := range strings.Lines(j.must(200, "GET", j.admin+"/metrics", "")) {
		if strings.HasPrefix(line, name) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "\n")
}
