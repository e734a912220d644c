package octopush_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testdb.Both(m)) }

const (
	generatePath = "/v1/public/service/otp/generate"
	validatePath = "/v1/public/service/otp/validate"

	login    = "ops@example.org"
	key      = "canary-key-k2"
	number   = "+33612345678"
	otherKey = "canary-key-other"
)

// harness is a whole server: the real store, service and dispatcher behind a
// real listener. Time stands still until the test moves it, and nothing is
// dispatched but by settle.
type harness struct {
	t          *testing.T
	wall       *storetest.Wall
	store      testdb.Store
	dispatcher *delivery.Dispatcher
	carrier    *carrier
	random     *scripted
	server     *httptest.Server
	client     *http.Client
	log        *lockedBuffer
}

// options are what a story wants otherwise.
type options struct {
	limited  bool              // limits on recipients apply
	settings map[string]string // of the account
	config   func(*octopush.Config)
}

func start(t *testing.T) *harness {
	t.Helper()
	return startWith(t, options{})
}

func startWith(t *testing.T, o options) *harness {
	t.Helper()
	h := &harness{t: t, wall: &storetest.Wall{}, carrier: &carrier{}, random: &scripted{}, log: &lockedBuffer{}}
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	h.store = testdb.Open(t, h.wall.Now, logger)
	root, err := secret.NewRoot(rand.Reader)
	h.must(err)
	keys, err := secret.NewKeyring(root)
	h.must(err)
	h.dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: h.store, Router: h.carrier, Node: "test", Log: logger, Now: h.store.Now,
		Open: func(account, id string, sealed []byte) (otp.Code, error) {
			return verify.OpenCode(keys.Open, account, id, sealed)
		},
	})
	isSandbox := func(delivery.Carrier) bool { return !o.limited }
	config := octopush.Config{
		OTPs: verify.New(verify.Config{
			Store: h.store, Keys: keys, Dispatch: h.dispatcher,
			Coverage: delivery.Coverage{Router: h.carrier, IsSandbox: isSandbox},
			Rules:    guard.Compat(10), Random: h.random,
		}),
		Accounts: account.NewAuthenticator(h.store, h.store.Now), Now: h.store.Now, Random: rand.Reader, Log: logger,
	}
	if o.config != nil {
		o.config(&config)
	}
	for _, a := range []struct{ name, login, key string }{{"ops", login, key}, {"other", "other@example.org", otherKey}} {
		h.must(h.store.CreateAccount(t.Context(), account.Account{Name: a.name}))
		h.must(h.store.CreateKey(t.Context(), account.Key{ID: a.name, Account: a.name, Login: a.login, Hash: account.HashKey(a.key)}))
	}
	h.must(h.store.SetSettings(t.Context(), "ops", o.settings))
	for name, value := range o.settings {
		h.must(slices.Concat(account.Common(), octopush.Settings()).Validate(name, value))
	}
	h.server = httptest.NewServer(octopush.New(config))
	t.Cleanup(h.server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{
		Transport:     checked{t, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(h.findNoSecrets)
	return h
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// findNoSecrets is the canary: what was logged holds no key, number or code.
func (h *harness) findNoSecrets() {
	log := h.log.String()
	secrets := []string{key, otherKey, strings.TrimPrefix(number, "+")}
	for _, m := range h.carrier.all() {
		secrets = append(secrets, m.Code.Reveal())
	}
	for _, s := range secrets {
		if strings.Contains(log, s) {
			h.t.Errorf("the log holds a secret:\n%s", log)
		}
	}
}

// header sets a header of a request; one with the value "" is left out.
type header struct{ name, value string }

// reply is an answer with what it answers.
type reply struct {
	t       *testing.T
	to      string
	status  int
	header  http.Header
	body    string
	Code    json.Number `json:"code"`
	Message string      `json:"message"`
	Ticket  string      `json:"ticket_number"`
	Token   string      `json:"otp_request_token"`
	// Remaining is -1 where it is absent.
	Remaining int `json:"remaining_number_of_attempts"`
}

func (h *harness) do(method, path, body string, headers ...header) reply {
	h.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+path, content)
	h.must(err)
	for _, x := range append([]header{{"api-login", login}, {"api-key", key}, {"Content-Type", "application/json"}}, headers...) {
		r.Header.Del(x.name)
		if x.value != "" {
			r.Header.Set(x.name, x.value)
		}
	}
	got, err := h.client.Do(r)
	h.must(err)
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	h.must(err)
	a := reply{t: h.t, to: method + " " + path + " " + body, status: got.StatusCode, header: got.Header, body: string(raw), Remaining: -1}
	if err := json.Unmarshal(raw, &a); err != nil {
		h.t.Errorf("%s: answered %q: %v", a.to, raw, err)
	}
	return a
}

func (h *harness) generate(body string, headers ...header) reply {
	h.t.Helper()
	return h.do(http.MethodPost, generatePath, body, headers...)
}

func (h *harness) validate(body string, headers ...header) reply {
	h.t.Helper()
	return h.do(http.MethodPut, validatePath, body, headers...)
}

// wants fails the test unless the answer has this status and code.
func (a reply) wants(status, code int) reply {
	a.t.Helper()
	if a.status != status || a.Code.String() != strconv.Itoa(code) {
		a.t.Errorf("%s\n→ %d %s; want %d with code %d", a.to, a.status, a.body, status, code)
	}
	return a
}

// leaves fails the test unless the answer is to a wrong code, with n left.
func (a reply) leaves(n int) {
	a.t.Helper()
	a.wants(http.StatusBadRequest, 199)
	if a.Remaining != n || a.Message != "Wrong OTP code." {
		a.t.Errorf("%s\n→ %s; want %d attempts left", a.to, a.body, n)
	}
}

// right fails the test unless the answer is to the right code.
func (a reply) right() {
	a.t.Helper()
	if a.status != http.StatusOK || a.body != `{"code":0,"message":"success"}` {
		a.t.Errorf("%s\n→ %d %s; want success", a.to, a.status, a.body)
	}
}

// sent is an accepted generate with the message it made.
type sent struct {
	reply

	message delivery.Message
	text    string
	code    string
}

// send generates an OTP for number with further members and delivers it.
func (h *harness) send(members string) sent {
	h.t.Helper()
	body := `{"phone_number":"` + number + `"`
	if members != "" {
		body += "," + members
	}
	return h.sendBody(body + "}")
}

func (h *harness) sendBody(body string, headers ...header) sent {
	h.t.Helper()
	before := len(h.carrier.all())
	a := h.generate(body, headers...).wants(http.StatusOK, 0)
	h.settle()
	all := h.carrier.all()
	if len(all) != before+1 {
		h.t.Fatalf("%s: %d messages were delivered; want 1", body, len(all)-before)
	}
	m := all[before]
	return sent{a, m, m.Text(), m.Code.Reveal()}
}

// check validates by token.
func (h *harness) check(token, code string) reply {
	h.t.Helper()
	return h.validate(`{"otp_request_token":"` + token + `","code":"` + code + `"}`)
}

// settle lets the dispatcher do what is due.
func (h *harness) settle() {
	h.t.Helper()
	_, err := h.dispatcher.Step(h.t.Context())
	h.must(err)
}

// wrong is a code that is not code.
func wrong(code string) string {
	if code[0] == '7' {
		return "8" + code[1:]
	}
	return "7" + code[1:]
}

// matches fails the test unless text matches pattern as a whole.
func matches(t *testing.T, what, text, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(text) {
		t.Errorf("%s = %q; want %s", what, text, pattern)
	}
}

// carrier is a delivery.Carrier that takes everything, and the route to it.
type carrier struct {
	mu  sync.Mutex // guards got
	got []delivery.Message
}

func (c *carrier) Name() string  { return "double" }
func (c *carrier) Dedupes() bool { return true }

func (c *carrier) Submit(_ context.Context, m delivery.Message) delivery.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, m)
	return delivery.Result{Class: delivery.Accepted, Ref: strconv.Itoa(len(c.got)), NoReceipt: true}
}

func (c *carrier) Route(on message.Channel, _ phone.Recipient, _ string) []delivery.Carrier {
	if on == message.SMS || on == message.Voice {
		return []delivery.Carrier{c}
	}
	return nil
}

func (c *carrier) all() []delivery.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]delivery.Message{}, c.got...)
}

// scripted is randomness that begins with what a test wants.
type scripted struct {
	mu   sync.Mutex // guards next
	next []byte
}

func (s *scripted) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(p, s.next)
	s.next = s.next[n:]
	_, err := rand.Read(p[n:])
	return len(p), err
}

// draw makes the next code of this alphabet be code.
func (s *scripted) draw(alphabet, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range []byte(code) {
		s.next = append(s.next, byte(strings.IndexByte(alphabet, c)))
	}
	s.next = append(s.next, make([]byte, len(code))...) // the generator reads twice as much as it needs
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
