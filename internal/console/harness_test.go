package console_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/numbers"
	"github.com/countersign/countersign/internal/console/otps"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/console/phones"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/report"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	goodPassword = "correct horse battery"
	someNumber   = "+4915112345678"
)

// site is a console on a store of its own, served over a socket.
type site struct {
	t      *testing.T
	url    string
	wall   *storetest.Wall
	store  *sqlite.Store
	access *access.Service
	inbox  *sandbox.Inbox
	orders *sandbox.Orders
	hub    *live.Hub
	audit  *audit.Log
	keys   *secret.Keyring
	api    *apiDouble
	probe  *probe
	// transport reaches the server, over TLS or not.
	transport *http.Transport

	local, sandboxed atomic.Bool
}

// apiDouble answers for the version 4 API.
type apiDouble struct {
	answer func(method, path, body string) (int, string)
}

func (a *apiDouble) Call(_ context.Context, _, method, path, body string) (int, []byte) {
	status, answer := a.answer(method, path, body)
	return status, []byte(answer)
}

func newSite(t *testing.T, secure bool) *site {
	t.Helper()
	s := &site{t: t, wall: &storetest.Wall{}, hub: &live.Hub{}, probe: &probe{}}
	s.local.Store(true)
	s.sandboxed.Store(true)
	s.api = &apiDouble{func(string, string, string) (int, string) { return 404, `{"title":"No Resource Found"}` }}
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	s.keys = keys
	log := slog.New(slog.DiscardHandler)
	s.store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: testdb.Blank(t), Wall: s.wall.Now, Log: log, Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"acme", "other"} {
		if err := s.store.CreateAccount(t.Context(), account.Account{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	s.audit = audit.New(s.store, keys)
	s.access = access.New(access.Config{Store: s.store, Keys: keys, Audit: s.audit, Now: s.store.Now, IsLocal: s.local.Load})
	s.inbox, s.orders = sandbox.NewInbox(s.store, keys, log), sandbox.NewOrders(s.store, keys, log)
	c, err := console.New(console.Config{
		Access: s.access, Accounts: s.store, Keys: keys, Audit: s.audit, Hub: s.hub, Secure: secure, Now: s.store.Now, Log: log,
		Groups: []page.Group{phones.New(phones.Config{
			Inbox: s.inbox, Orders: s.orders, API: s.api, Audit: s.audit, Serves: s.sandboxed.Load, Alone: s.sandboxed.Load,
		}), s.probe, otps.New(otps.Config{Reports: report.New(s.store, keys), Accounts: s.store, Keys: keys}), numbers.New(report.New(s.store, keys))},
	})
	if err == nil {
		err = c.Parse()
	}
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- c.Run(run) }()
	go func() { ended <- s.inbox.Tell(run, s.hub.Poke) }()
	server := httptest.NewUnstartedServer(c)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.transport = server.Client().Transport.(*http.Transport) //nolint:forcetypeassert // httptest's
	s.url = server.URL + console.Path
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
		server.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// probe is a group with a page for each thing that pages can do.
type probe struct{ fail error }

func (*probe) Links() []page.Link {
	return []page.Link{{Path: "/probe", Label: "Probe"}, {Path: "/probe/keys", Label: "Keys", Owner: true}}
}

func (*probe) Templates() fs.FS {
	return fstest.MapFS{"probe.html": &fstest.MapFile{Data: []byte(`{{define "title"}}Probe{{end}}
{{define "main"}}<h1>Probe</h1>{{template "problems" .}}<p id="number">{{template "number" (.Number .Data.To)}}</p>
<p>{{.Time .Data.At}} {{count 1234567}} {{.URL "otps" "a/b"}}</p>
{{if .IsOwner}}<form method="post" action="{{.Base}}/probe/change">{{template "csrf" .}}
{{template "field" (.Field "name" "Name" "hint" "Any" "required" true)}}
{{template "field" (.Field "kind" "Kind" "type" "select" "options" .Data.Kinds)}}
{{template "field" (.Field "loud" "Loud" "type" "checkbox")}}
{{template "field" (.Field "text" "Text" "type" "textarea")}}
{{template "field" (.Field "secret" "Secret" "type" "password")}}<button>Save</button></form>{{end}}{{end}}`)}}
}

type probeData struct {
	To    phone.Recipient
	At    time.Time
	Kinds []page.Option
}

func (p *probe) Register(r *page.Routes) {
	show := func(w http.ResponseWriter, r *page.Request, status int) error {
		to, err := phone.ParseRecipient(someNumber)
		if err != nil {
			return err
		}
		return r.Render(w, status, "probe.html", probeData{to, storetest.Start, []page.Option{{Value: "a", Label: "First"}, {Value: "b", Label: "Second"}}})
	}
	r.Handle("GET /probe", page.Read, func(w http.ResponseWriter, r *page.Request) error {
		if p.fail != nil {
			return p.fail
		}
		return show(w, r, http.StatusOK)
	})
	r.Handle("GET /probe/keys", page.Owner|page.Fresh, func(w http.ResponseWriter, r *page.Request) error { return show(w, r, http.StatusOK) })
	r.Handle("POST /probe/change", page.Owner, func(w http.ResponseWriter, r *page.Request) error {
		if r.Form().Value("name") != "good" {
			r.Form().Refuse("name", "This name is not good.")
			return show(w, r, http.StatusUnprocessableEntity)
		}
		return r.Redirect(w, "/probe", page.Good("It was changed."))
	})
	r.Handle("POST /probe/secret", page.Owner|page.Fresh, func(w http.ResponseWriter, r *page.Request) error {
		return r.Redirect(w, "/probe", page.Good("Made "+strings.Join(r.Form().Values("name"), " and ")+"."))
	})
}

var errProbe = errors.New("what nobody may read")

// browser is somebody at a browser of their own.
type browser struct {
	s      *site
	client *http.Client
	secret string // of the authenticator app
}

func (s *site) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.transport.Clone()
	s.t.Cleanup(transport.CloseIdleConnections)
	return &browser{s: s, client: &http.Client{
		Jar: jar, Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a page as it came.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) location() string { return a.header.Get("Location") }

func (a answer) has(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page lacks %q:\n%s", text, a.body)
		}
	}
	return a
}

func (a answer) lacks(t *testing.T, texts ...string) answer {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page has %q:\n%s", text, a.body)
		}
	}
	return a
}

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	at := b.s.url + path
	if strings.HasPrefix(path, console.Path) {
		at = strings.TrimSuffix(b.s.url, console.Path) + path
	}
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, at, body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// get is a GET that must answer status.
func (b *browser) get(status int, path string, headers ...string) answer {
	b.s.t.Helper()
	a := b.do(http.MethodGet, path, nil, headers...)
	if a.status != status {
		b.s.t.Fatalf("GET %s = %d, want %d\n%s", path, a.status, status, a.body)
	}
	return a
}

var csrfValue = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// post fills the form of a page in and sends it; pairs of field and value.
func (b *browser) post(status int, on, path string, pairs ...string) answer {
	b.s.t.Helper()
	form := url.Values{"csrf": {b.token(on)}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	a := b.do(http.MethodPost, path, form)
	if a.status != status {
		b.s.t.Fatalf("POST %s = %d, want %d\n%s", path, a.status, status, a.body)
	}
	return a
}

// token is what the forms of a page carry.
func (b *browser) token(on string) string {
	b.s.t.Helper()
	m := csrfValue.FindStringSubmatch(b.do(http.MethodGet, on, nil).body)
	if m == nil {
		b.s.t.Fatalf("%s has no form", on)
	}
	return m[1]
}

func (s *site) invite(role access.Role) string {
	s.t.Helper()
	token, err := s.access.Invite(s.t.Context(), "test", "acme", role, access.InviteLife)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

// entered is a browser that a link alone let in.
func (s *site) entered(role access.Role) *browser {
	s.t.Helper()
	b := s.browser()
	b.post(http.StatusSeeOther, "/enter", "/enter", "token", s.invite(role))
	return b
}

var (
	sealedValue = regexp.MustCompile(`name="enrolment" value="([^"]+)"`)
	secretValue = regexp.MustCompile(`data-testid="totp-secret">([A-Z2-7]+)<`)
)

// code is what the browser's user sees in the authenticator app.
func (b *browser) code() string {
	b.s.t.Helper()
	code, err := totp.GenerateCode(b.secret, b.s.wall.Now())
	if err != nil {
		b.s.t.Fatal(err)
	}
	return code
}

// enrolled is a browser whose user, jo, chose a password.
func (s *site) enrolled(role access.Role) *browser {
	s.t.Helper()
	s.local.Store(false)
	b := s.browser()
	token := s.invite(role)
	form := b.post(http.StatusOK, "/enter", "/enter", "token", token)
	b.secret = secretValue.FindStringSubmatch(form.body)[1]
	b.post(
		http.StatusSeeOther, "/enter", "/enrol", "token", token, "enrolment", sealedValue.FindStringSubmatch(form.body)[1],
		"name", "jo", "password", goodPassword, "again", goodPassword, "code", b.code(),
	)
	s.wall.Add(time.Minute) // the app's next code
	return b
}

// arrive puts a message into the sandbox's inbox.
func (s *site) arrive(account, to string, channel message.Channel, text string) {
	s.t.Helper()
	recipient, err := phone.ParseRecipient(to)
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.inbox.Put(s.t.Context(), delivery.Message{
		Dedupe: uuid.NewString(), Account: account, OTPID: uuid.NewString(), Recipient: recipient, Code: otp.NewCode("483920"),
		Step: delivery.Step{Channel: channel, Sender: "ACME", Text: message.Parse(text, []message.Placeholder{{Token: "#", Code: true}})},
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// audited are the actions in the audit list with their actors.
func (s *site) audited() string {
	s.t.Helper()
	sealed, err := s.store.AuditEntries(s.t.Context(), 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, e := range sealed {
		all = append(all, e.Text)
	}
	return strings.Join(all, "\n")
}
