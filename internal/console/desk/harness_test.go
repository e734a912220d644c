package desk_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// acme is the account of every browser, other the one that it must not see.
const (
	acme  = storetest.Acme
	other = storetest.Other
)

// site is the desk on a store of its own with the real APIs behind it, served
// over a socket.
type site struct {
	*storetest.Outbox

	t        *testing.T
	url      string
	wall     *storetest.Wall
	store    *sqlite.Store
	access   *access.Service
	stored   *entries
	catalog  *catalog.Service
	whatsApp *whatsApp
	desk     *desk.Group
	local    atomic.Bool

	mu       sync.Mutex // guards carriers
	carriers []desk.Carrier
}

// inside calls an API in this process, as the server does.
type inside struct{ api http.Handler }

func (i inside) Call(ctx context.Context, name, method, path, body string) (int, []byte) {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.Header.Set("apiKey", name)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	i.api.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// byName takes an account's name for its key.
type byName struct{ store *sqlite.Store }

func (b byName) Authenticate(ctx context.Context, name string) (account.Identity, error) {
	a, err := b.store.Account(ctx, name)
	return account.Identity{Account: a}, err
}

// whatsApp is the sandbox's double, or one that cannot be asked.
type whatsApp struct {
	*sandbox.WhatsApp

	down atomic.Bool
}

func (w *whatsApp) WhatsAppTemplates(ctx context.Context, account, ref string) ([]catalog.WhatsAppTemplate, error) {
	if w.down.Load() {
		return nil, catalog.ErrWhatsAppUnreachable
	}
	return w.WhatsApp.WhatsAppTemplates(ctx, account, ref)
}

// entries is the catalog's store. It counts how often all profiles are read, and
// may fail what is made.
type entries struct {
	*sqlite.Store

	profiles atomic.Int64
	fails    atomic.Pointer[error]
}

func (e *entries) Profiles(ctx context.Context, account string) ([]catalog.Profile, error) {
	e.profiles.Add(1)
	return e.Store.Profiles(ctx, account)
}

func (e *entries) CreateTemplate(ctx context.Context, account string, t catalog.Template) error {
	if err := e.fails.Load(); err != nil {
		return *err
	}
	return e.Store.CreateTemplate(ctx, account, t)
}

func (e *entries) CreateApplication(ctx context.Context, account string, a catalog.Application) error {
	if err := e.fails.Load(); err != nil {
		return *err
	}
	return e.Store.CreateApplication(ctx, account, a)
}

func newSite(t *testing.T, change ...func(*desk.Config)) *site {
	t.Helper()
	s := &site{t: t, wall: &storetest.Wall{}}
	s.local.Store(true)
	log := slog.New(slog.DiscardHandler)
	var err error
	s.store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: testdb.Blank(t), Wall: s.wall.Now, Log: log, Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Outbox = storetest.NewOutbox(t, s.store)
	list := audit.New(s.store, s.Keys)
	s.stored = &entries{Store: s.store}
	s.catalog = catalog.New(catalog.Config{Store: ledger.NewCatalog(s.stored, list), Keys: s.Keys, Random: rand.Reader, Now: s.store.Now})
	s.whatsApp = &whatsApp{WhatsApp: sandbox.NewWhatsApp(s.store, 2*time.Second, s.store.Now)}
	guard := callback.NewGuard(callback.GuardConfig{AllowPrivate: true})
	pusher := callback.New(callback.Config{Store: s.store, Keys: s.Keys, Guard: guard, Version: "test", Now: s.store.Now, Log: log})
	cfg := desk.Config{
		V4: inside{tyntecv4.New(tyntecv4.Config{
			Accounts: byName{s.store}, Catalog: s.catalog, WhatsApp: ledger.NewWhatsApp(s.whatsApp, list),
			RefuseURL: guard.CheckURL,
		})},
		V1:      inside{tyntecv1.New(tyntecv1.Config{Accounts: byName{s.store}, Catalog: s.catalog, Now: s.store.Now})},
		Catalog: s.catalog, Letters: s.store, Test: func(ctx context.Context, to callback.Post) (callback.Outcome, error) {
			return pusher.Test(ctx, to), nil
		}, Accounts: s.store, Settings: account.Common(), Reserved: func(account.Account, string) bool { return false }, Keys: s.Keys, Audit: list, Random: rand.Reader,
		Text: tyntecv4.Text, AppText: tyntecv1.Text, MaxCode: tyntecv4.MaxCodeLength,
		Defaults: desk.Defaults{Attempts: 3, CodeLength: 6, Minutes: 3},
		Carriers: func() []desk.Carrier { s.mu.Lock(); defer s.mu.Unlock(); return s.carriers },
		Queues:   s.store.Queues,
		Nodes: func(context.Context) ([]desk.Node, error) {
			return []desk.Node{
				{Name: "n1", Version: "1.0", Started: storetest.Start, Seen: s.wall.Now(), This: true},
				{Name: "n2", Started: storetest.Start, Seen: s.wall.Now().Add(-time.Hour)},
			}, nil
		},
		Mode: "compat", Notices: []string{"Not conformant: a notice."},
	}
	for _, f := range change {
		f(&cfg)
	}
	s.desk = desk.New(cfg)
	s.access = access.New(access.Config{Store: s.store, Keys: s.Keys, Audit: list, Now: s.store.Now, IsLocal: s.local.Load})
	c, err := console.New(console.Config{
		Access: s.access, Accounts: s.store, Keys: s.Keys, Audit: list, Hub: &live.Hub{}, Groups: []page.Group{s.desk}, Now: s.store.Now, Log: log,
	})
	if err == nil {
		err = c.Parse()
	}
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	s.url = server.URL + console.Path
	t.Cleanup(func() {
		server.Close()
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// browser is somebody of account acme at a browser.
type browser struct {
	s      *site
	client *http.Client
	csrf   string
}

func (s *site) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &browser{s: s, client: &http.Client{
		Jar: jar, Transport: transport, Timeout: 2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var csrfValue = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// as is somebody whom a link alone let in.
func (s *site) as(role access.Role) *browser {
	s.t.Helper()
	b := s.browser()
	b.csrf = csrfValue.FindStringSubmatch(b.get(http.StatusOK, "/enter").body)[1]
	b.post(http.StatusSeeOther, "/enter", "token", s.invite(role))
	b.csrf = csrfValue.FindStringSubmatch(b.get(http.StatusOK, "/operation").body)[1]
	return b
}

func (s *site) invite(role access.Role) string {
	s.t.Helper()
	token, err := s.access.Invite(s.t.Context(), "test", acme, role, access.InviteLife)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}

var (
	sealedValue = regexp.MustCompile(`name="enrolment" value="([^"]+)"`)
	secretValue = regexp.MustCompile(`data-testid="totp-secret">([A-Z2-7]+)<`)
)

// withPassword is somebody who chose a password, just now.
func (s *site) withPassword(role access.Role, name string) *browser {
	s.t.Helper()
	s.local.Store(false)
	b := s.browser()
	b.csrf = csrfValue.FindStringSubmatch(b.get(http.StatusOK, "/enter").body)[1]
	token := s.invite(role)
	form := b.post(http.StatusOK, "/enter", "token", token)
	code, err := totp.GenerateCode(secretValue.FindStringSubmatch(form.body)[1], s.wall.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	b.post(
		http.StatusSeeOther, "/enrol", "token", token, "enrolment", sealedValue.FindStringSubmatch(form.body)[1],
		"name", name, "password", "correct horse battery", "again", "correct horse battery", "code", code,
	)
	b.csrf = csrfValue.FindStringSubmatch(b.get(http.StatusOK, "/operation").body)[1]
	return b
}

// answer is a page as it came.
type answer struct {
	t        *testing.T
	what     string
	status   int
	body     string
	location string // below the console
}

func (a answer) has(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.t.Errorf("%s lacks %q:\n%s", a.what, text, a.body)
		}
	}
	return a
}

func (a answer) lacks(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.t.Errorf("%s has %q:\n%s", a.what, text, a.body)
		}
	}
	return a
}

// testid returns the text of the element with a data-testid.
func (a answer) testid(name string) string {
	a.t.Helper()
	m := regexp.MustCompile(`data-testid="` + name + `"[^>]*>([^<]*(?:<strong>[^<]*</strong>)?[^<]*)`).FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("%s has no %s:\n%s", a.what, name, a.body)
	}
	return html.UnescapeString(strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], "")))
}

// problem returns why a field was refused.
func (a answer) problem(field string) string {
	m := regexp.MustCompile(`id="p-` + regexp.QuoteMeta(field) + `">([^<]*)`).FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(strings.TrimPrefix(m[1], "✕ "))
}

// What the policy of the pages forbids: each would be a violation in a browser.
var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:\s+(?:defer|async))*>|javascript:|hx-on|(?:src|href|action)="(?:https?:)?//`)

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, b.s.url+path, body)
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
	if found := inline.FindString(string(text)); found != "" {
		b.s.t.Errorf("%s %s has %q inline", method, path, found)
	}
	return answer{
		t: b.s.t, what: method + " " + path, status: resp.StatusCode, body: string(text),
		location: strings.TrimPrefix(resp.Header.Get("Location"), console.Path),
	}
}

// get is a GET that must answer status.
func (b *browser) get(status int, path string) answer {
	b.s.t.Helper()
	a := b.do(http.MethodGet, path, nil)
	if a.status != status {
		b.s.t.Fatalf("GET %s = %d, want %d\n%s", path, a.status, status, a.body)
	}
	return a
}

// post sends a form that must be answered by status; pairs of field and value.
func (b *browser) post(status int, path string, pairs ...string) answer {
	b.s.t.Helper()
	form := url.Values{"csrf": {b.csrf}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	a := b.do(http.MethodPost, path, form)
	if a.status != status {
		b.s.t.Fatalf("POST %s = %d, want %d\n%s", path, a.status, status, a.body)
	}
	return a
}

var shownValue = regexp.MustCompile(`name="shown" value="([^"]+)"`)

// change opens the form at path and posts it with pairs instead of what it shows,
// which must be answered by status.
func (b *browser) change(status int, path string, pairs ...string) answer {
	b.s.t.Helper()
	opened := b.get(http.StatusOK, path)
	m := shownValue.FindStringSubmatch(opened.body)
	if m == nil {
		b.s.t.Fatalf("%s does not say what it shows:\n%s", opened.what, opened.body)
	}
	return b.post(status, path, append([]string{"shown", m[1]}, pairs...)...)
}

// entries are the actions in the audit list of what the account's people did,
// with their subjects.
func (s *site) entries() []string {
	s.t.Helper()
	sealed, err := s.store.AuditEntries(s.t.Context(), 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, e := range sealed {
		var entry audit.Entry
		if err := json.Unmarshal([]byte(e.Text), &entry); err != nil {
			s.t.Fatal(err)
		}
		if strings.HasPrefix(entry.Action, "console.") {
			continue
		}
		if entry.Actor != "console local" || entry.Account != acme {
			s.t.Errorf("entry %+v, want one of console local in %s", entry, acme)
		}
		all = append(all, strings.TrimSpace(entry.Action+" "+entry.Subject))
	}
	return all
}

// whole runs f and returns what it added to the audit list.
func (s *site) audited(f func()) string {
	s.t.Helper()
	before := len(s.entries())
	f()
	return strings.Join(s.entries()[before:], "\n")
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// template makes a template and returns its id.
func (s *site) template(channel message.Channel, name, language, text string) string {
	s.t.Helper()
	id, err := s.catalog.NewID()
	s.must(err)
	s.must(s.store.CreateTemplate(s.t.Context(), acme, catalog.Template{ID: id, Channel: channel, Name: name, Language: language, Message: text, Minutes: 3}))
	return id
}
