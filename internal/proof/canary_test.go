package proof_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// aviary knows every secret of a run and where none of them may be.
type aviary struct {
	t       testing.TB
	mu      sync.Mutex        // guards what follows
	secrets map[string]string // by what they are
	numbers map[string]string
	places  map[string][]byte // what came out, by where
}

// code returns a code that occurs nowhere else: eleven characters that a user
// may choose.
func (a *aviary) code(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	code := fmt.Sprintf("zq%dxkw%dvj", 10+len(a.secrets), 100+7*len(a.secrets))[:11]
	name = "code of " + name
	if _, taken := a.secrets[name]; taken {
		name = fmt.Sprintf("%s, %d", name, len(a.secrets))
	}
	a.secrets[name] = code
	return code
}

func (a *aviary) secret(name, value string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(value) < 8 {
		a.t.Fatalf("%s is too short to be told from chance", name)
	}
	a.secrets[name] = value
	return value
}

func (a *aviary) number(tail string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := fmt.Sprintf("+49176%04d%s", 5301+13*len(a.numbers), tail)
	a.numbers[fmt.Sprintf("number %d", len(a.numbers))] = n
	return n
}

// put notes what came out somewhere.
func (a *aviary) put(place string, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.places[place] = append(append(a.places[place], b...), '\n')
}

// forms are the spellings in which a secret could come out.
func forms(secret string) map[string][]byte {
	b := []byte(secret)
	all := map[string][]byte{
		"text":          b,
		"upper case":    bytes.ToUpper(b),
		"hexadecimal":   []byte(hex.EncodeToString(b)),
		"percent":       []byte(url.QueryEscape(secret)),
		"decimal bytes": []byte(decimal(b)),
		"spelled":       []byte(strings.Join(strings.Split(secret, ""), ", ")), // as in a call
	}
	// Base64 of a text that has the secret in it, at each of three positions.
	for shift := range 3 {
		coded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
		from := (8*shift + 5) / 6
		all[fmt.Sprintf("base64 at %d", shift)] = []byte(coded[from : len(coded)-len(coded)%4-4])
	}
	return all
}

func decimal(b []byte) string {
	var s []string
	for _, c := range b {
		s = append(s, strconv.Itoa(int(c)))
	}
	return strings.Join(s, " ")
}

// hits lists where a secret is found in what came out of a place.
func hits(secrets map[string]string, where string, b []byte) []string {
	var found []string
	for name, secret := range secrets {
		for form, spelled := range forms(secret) {
			if len(spelled) >= 8 && bytes.Contains(b, spelled) {
				at := bytes.Index(b, spelled)
				found = append(found, fmt.Sprintf("%s as %s in %s: …%q…", name, form, where, b[max(0, at-60):min(len(b), at+60)]))
			}
		}
	}
	return found
}

// call makes a request and notes the answer among those of its kind.
func (a *aviary) call(p *process, kind, method, path, body string, header map[string]string) (int, []byte) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("apiKey", p.key)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var head bytes.Buffer
	_ = resp.Header.Write(&head)
	if resp.StatusCode >= 400 {
		kind = "errors"
	}
	a.put(kind, append(head.Bytes(), b...))
	return resp.StatusCode, b
}

func (a *aviary) send(p *process, to, code string, header map[string]string) string {
	a.t.Helper()
	status, b := a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(to, code), header)
	id, err := idOf(b)
	if status != http.StatusAccepted || err != nil {
		a.t.Fatalf("a send = %d %s", status, b)
	}
	return id
}

// command runs the program beside the server and notes what it prints.
func (a *aviary) command(dir, stdin string, args ...string) string {
	a.t.Helper()
	path, err := binary()
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.CommandContext(a.t.Context(), path, args...)
	cmd.Env = []string{"HOME=" + dir, "COUNTERSIGN_DATA_DIR=" + dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_LOG_FORMAT=json"}
	cmd.Stdin = strings.NewReader(stdin)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	_ = cmd.Run() // some are meant to fail
	a.put("log of "+args[0], log.Bytes())
	return strings.TrimSpace(out.String())
}

// files notes every file of dir but the key file.
func (a *aviary) files(dir, when string) {
	a.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			a.t.Fatal(err)
		}
		if e.Name() != "secret.key" {
			a.put("file "+e.Name()+" "+when, b)
		}
	}
}

func TestNoSecretLeavesItsPlace(t *testing.T) {
	t.Parallel()
	a := &aviary{t: t, secrets: map[string]string{}, numbers: map[string]string{}, places: map[string][]byte{}}
	dir, admin := t.TempDir(), freePort(t)
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var head bytes.Buffer
		_ = r.Header.Write(&head)
		body, _ := io.ReadAll(r.Body)
		a.put("callbacks", append(head.Bytes(), body...))
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer hooks.Close()

	p := serve(t, dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_ADMIN_LISTEN="+admin,
		"COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true", "COUNTERSIGN_SANDBOX_LIMITS=true")
	a.secret("API key", p.key)
	root, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	a.secret("root key", strings.TrimSpace(string(root)))
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(root))); err == nil {
		a.secret("root key's bytes", string(raw))
	}
	a.secret("second API key", a.command(dir, "", "key", "create", "--account", "default"))
	p.configure(3)

	// Callbacks: one that works, one that answers 500, one where nobody listens.
	// A secret in a URL's query is the client's way to know us.
	token := a.secret("callback token", "tok-7c1f90ab3e5d")
	password := a.secret("callback header", "hdr-93be02f1c4a8")
	secrets := map[string]string{}
	for _, target := range []string{hooks.URL + "/works", hooks.URL + "/broken", "http://" + freePort(t) + "/nobody"} {
		_, b := a.call(p, "answers", "POST", "/2fa/v4/configurations/callbacks",
			fmt.Sprintf(`{"url":%q,"headers":{"X-Password":%q}}`, target+"?token="+token, password), nil)
		id, err := idOf(b)
		if err != nil {
			t.Fatal(err)
		}
		secrets[target] = a.secret("signing secret of "+target, a.command(dir, "", "callback", "secret", id))
	}

	drive(a, p, dir)

	// Everything that was accepted goes out, and callbacks have been tried.
	var inbox []byte
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		inbox = p.must(200, "GET", "/sandbox/messages?limit=200", "")
		a.mu.Lock()
		posts := bytes.Count(a.places["callbacks"], []byte(`"status":"DELIVERED"`))
		a.mu.Unlock()
		if strings.Contains(string(inbox), a.secrets["code of right"]) && posts >= 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the messages or callbacks did not come: %d callbacks\n%s", posts, p.log)
		}
	}

	for _, path := range []string{"/metrics", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || path == "/metrics" && !bytes.Contains(b, []byte("countersign_")) {
			t.Fatalf("%s: %d bytes, %v", path, len(b), err)
		}
		a.put(path, b)
	}
	a.files(dir, "while running")
	p.stop()
	a.files(dir, "after the stop")
	a.put("log", []byte(p.log.String()))
	a.put("standard output", []byte(strings.ReplaceAll(p.out.String(), "API key "+p.key, "")))

	a.search(secrets)

	// The search finds what is there: else finding nothing would mean nothing.
	if len(hits(map[string]string{"code": a.secrets["code of right"]}, "inbox", inbox)) == 0 {
		t.Error("the search does not find a code in the inbox, where it is")
	}
	if len(hits(map[string]string{"root": a.secrets["root key"]}, "key file", root)) == 0 {
		t.Error("the search does not find the root key in its file")
	}
	if len(hits(a.numbers, "answers", a.places["answers"])) == 0 {
		t.Error("the search does not find a number in the answers, where it is")
	}
}

// search looks for every secret everywhere, and says what was found where it
// must not be.
func (a *aviary) search(signing map[string]string) {
	a.t.Helper()
	size := 0
	for _, place := range slices.Sorted(maps.Keys(a.places)) {
		b := a.places[place]
		size += len(b)
		secrets := maps.Clone(a.secrets)
		switch {
		case place == "callbacks":
			delete(secrets, "callback header") // it is sent there
		case place == "answers":
			delete(secrets, "callback header") // the contract gives it back
			delete(secrets, "callback token")
		case strings.HasPrefix(place, "file "):
			delete(secrets, "callback token") // a URL is no secret to the database
		}
		for _, hit := range hits(secrets, place, b) {
			a.t.Errorf("found: %s", hit)
		}
		if place != "answers" && !strings.HasPrefix(place, "file ") {
			for _, hit := range hits(a.numbers, place, b) {
				a.t.Errorf("found: %s", hit)
			}
			bare := map[string]string{}
			for name, n := range a.numbers {
				bare[name+" without plus"] = strings.TrimPrefix(n, "+")
			}
			for _, hit := range hits(bare, place, b) {
				a.t.Errorf("found: %s", hit)
			}
		}
	}
	if len(a.places["log"]) < 100 || len(a.places["callbacks"]) == 0 || len(a.places["errors"]) == 0 || len(signing) != 3 {
		a.t.Errorf("too little came out to be searched: %d bytes of log, %d of callbacks, %d of errors",
			len(a.places["log"]), len(a.places["callbacks"]), len(a.places["errors"]))
	}
	a.t.Logf("%d secrets and %d numbers in %d places, %d bytes", len(a.secrets), len(a.numbers), len(a.places), size)
}

// drive makes the server do everything that could show a secret.
func drive(a *aviary, p *process, dir string) {
	const otps = "/2fa/v4/otp/"
	right := a.code("right")
	id := a.send(p, a.number("9999"), right, map[string]string{"Idempotency-Key": "once-1"})
	a.send(p, a.numbers["number 0"], right, map[string]string{"Idempotency-Key": "once-1"})
	a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(a.numbers["number 0"], a.code("another body")), map[string]string{"Idempotency-Key": "once-1"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(a.code("wrong guess")), nil)
	// The message is read before the OTP ends, so that it surely went out.
	a.arrived(p, id)
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), map[string]string{"Idempotency-Key": "once-2"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), map[string]string{"Idempotency-Key": "once-2"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), nil)
	a.call(p, "answers", "GET", otps+id, "", nil)
	a.call(p, "answers", "GET", "/2fa/v4/otp?to="+url.QueryEscape(a.numbers["number 0"]), "", nil)

	// Every behaviour of the sandbox, so every path of a delivery.
	for _, tail := range []string{"0001", "0002", "0003", "0004", "0005"} {
		a.send(p, a.number(tail), a.code("number ending in "+tail), nil)
	}
	blocked := a.send(p, a.number("9999"), a.code("blocked"), nil)
	for range 4 {
		a.call(p, "answers", "POST", otps+blocked+"/validate", codeBody(a.code("guess")), nil)
	}
	gone := a.send(p, a.number("9999"), a.code("deleted"), nil)
	a.call(p, "answers", "DELETE", otps+gone, "", nil)
	a.call(p, "answers", "POST", otps+gone+"/validate", codeBody(a.code("guess of deleted")), nil)
	many := a.number("9999")
	for range 12 { // beyond the recipient's limit
		a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(many, a.code("many")), nil)
	}

	// What is refused.
	code, to := a.code("refused"), a.number("9999")
	for _, body := range []string{
		`{"otpCode":"` + code, `{"otpCode":` + code + `}`, `["` + code + `"]`, code, `{"otpCode":{"x":"` + code + `"}}`,
		`{"otpCode":"` + code + code + `"}`, `{"` + code + `":"` + code + `"}`, strings.Repeat(code, 7000), "{\"otpCode\":\"" + code + "\x00\xff\"}",
		`{"to":"` + to + `x","profileName":"` + code + `","priorityName":"` + code + `","otpCode":"` + code + `"}`,
		`{"to":"` + to + `","profileName":"` + code + `","priorityName":"sms-then-voice","otpCode":"` + strings.ToUpper(code) + `"}`,
	} {
		for _, path := range []string{"/2fa/v4/otp", otps + id + "/validate"} {
			a.call(p, "answers", "POST", path, body, nil)
			a.call(p, "answers", "POST", path, body, map[string]string{"Content-Type": "text/plain"})
			a.call(p, "answers", "PUT", path, body, nil)
		}
	}
	stranger := a.secret("unknown API key", "otp_live_0a1b2c3d4e5f_thisKeyWasNeverMade0123456789")
	for _, key := range []string{stranger, p.key + "x", "Bearer " + p.key} {
		a.call(p, "answers", "GET", otps+id, "", map[string]string{"apiKey": key})
		a.call(p, "answers", "GET", "/sandbox/messages", "", map[string]string{"apiKey": key})
	}
	query := "?apiKey=" + url.QueryEscape(p.key) + "&otpCode=" + code + "&to=" + url.QueryEscape(to)
	for _, path := range []string{
		"/unknown/" + code, "/2fa/v4/unknown", "/2fa/v4/otp/a/b/" + code, otps + code, otps + code + "/validate", "/sandbox/messages", "/readyz",
		"/2fa/v1/send", "/livez/" + code, "/openapi/" + code, "//" + code, "/2fa/v4/%2e%2e/" + code,
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PATCH", "OPTIONS"} {
			a.call(p, "answers of paths", method, path+query, "", map[string]string{"apiKey": ""})
			if !strings.HasPrefix(path, otps) { // there the code would stand for an id, which errors repeat
				a.call(p, "answers of paths", method, path+query, "", nil)
			}
		}
	}
	a.garbage(p, code)

	// Commands beside the server.
	a.command(dir, "", "send", "--account", "default", "--to", a.number("9999"))
	a.command(dir, a.code("typed at a command"), "check", "--account", "default", id)
	a.command(dir, "", "callback", "list")
	a.command(dir, "", "limit", "clear", "--account", "default", "--to", many)
	a.command(dir, "", "erase", "--to", to)
	a.command(dir, "", "send", "--account", "nobody", "--to", a.number("9999"))
	a.command(dir, "", "key", "list")
}

// arrived waits until the OTP's message is in the inbox.
func (a *aviary) arrived(p *process, id string) {
	a.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if b := p.must(200, "GET", "/sandbox/messages?otpId="+id, ""); len(b) > 10 {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatal("the message did not arrive")
		}
	}
}

// garbage sends what is no HTTP, with secrets in it.
func (a *aviary) garbage(p *process, code string) {
	a.t.Helper()
	for _, request := range []string{
		"GET /?apiKey=" + p.key + " HTTP/9.9\r\n\r\n",
		"GET /2fa/v4/otp?apiKey=" + p.key + " HTTP/1.1\r\nHost: " + code + "\r\napiKey " + p.key + "\r\n\r\n",
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nContent-Length: nine\r\n\r\n" + code,
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nTransfer-Encoding: chunked\r\n\r\n" + code + "\r\n",
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nContent-Length: 500\r\n\r\n{\"otpCode\":\"" + code,
		code + p.key,
	} {
		c, err := (&net.Dialer{}).DialContext(context.WithoutCancel(a.t.Context()), "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			a.t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		b, _ := io.ReadAll(c)
		a.put("errors", b)
		c.Close()
	}
}
