package trail_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/audit"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/live"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/console/trail"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the page on a list of its own.
type site struct {
	t      *testing.T
	url    string
	path   string // of the database
	log    *audit.Log
	prover *prover
	access *access.Service
	wall   *storetest.Wall
}

// prover is the list's, which may be held up.
type prover struct {
	*audit.Log

	hold, held chan struct{} // nil to let it run
}

func (p *prover) Prove(ctx context.Context) (audit.Proof, error) {
	if p.hold != nil {
		p.held <- struct{}{}
		<-p.hold
	}
	return p.Log.Prove(ctx)
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, wall: &storetest.Wall{}, path: testdb.Blank(t)}
	root, err := secret.NewRoot(rand.Reader)
	s.must(err)
	keys, err := secret.NewKeyring(root)
	s.must(err)
	log := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: s.path, Wall: s.wall.Now, Log: log, Fatal: func(err error) { t.Error(err) }})
	s.must(err)
	s.must(store.CreateAccount(t.Context(), account.Account{Name: "acme"}))
	s.log = audit.New(store, keys)
	s.prover = &prover{Log: s.log}
	s.access = access.New(access.Config{Store: store, Keys: keys, Audit: s.log, Now: store.Now, IsLocal: func() bool { return true }})
	c, err := console.New(console.Config{
		Access: s.access, Accounts: store, Keys: keys, Audit: s.log, Hub: &live.Hub{}, Groups: []page.Group{trail.New(store, s.prover)}, Now: store.Now, Log: log,
	})
	s.must(err)
	s.must(c.Parse())
	server := httptest.NewServer(c)
	s.url = server.URL + console.Path
	t.Cleanup(func() {
		server.Close()
		s.must(store.Close())
	})
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) append(entries ...audit.Entry) {
	s.t.Helper()
	for _, e := range entries {
		s.must(s.log.Append(s.t.Context(), e))
		s.wall.Add(time.Second)
	}
}

// many appends n entries of an account.
func (s *site) many(n int, account string) {
	s.t.Helper()
	for i := range n {
		s.append(audit.Entry{Action: audit.ActionUnmask, Actor: "console ann", Account: account, Subject: fmt.Sprintf("%s-%d.", account, i)})
	}
}

// tamper changes the list behind its back.
func (s *site) tamper(statement string) {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.path+"?_pragma=busy_timeout(5000)")
	s.must(err)
	defer db.Close()
	_, err = db.ExecContext(s.t.Context(), statement)
	s.must(err)
}

type browser struct {
	s      *site
	client *http.Client
}

func (s *site) as(role access.Role) *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	s.must(err)
	transport := &http.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	b := &browser{s, &http.Client{Jar: jar, Transport: transport, Timeout: 2 * time.Minute}}
	token, err := s.access.Invite(s.t.Context(), "test", "acme", role, access.InviteLife)
	s.must(err)
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(b.get("/enter"))[1]
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/enter", strings.NewReader(url.Values{"csrf": {csrf}, "token": {token}}.Encode()))
	s.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.client.Do(req)
	s.must(err)
	_ = resp.Body.Close()
	return b
}

func (b *browser) do(path string, headers ...string) (int, string) {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, b.s.url+path, nil)
	b.s.must(err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	b.s.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.s.must(err)
	return resp.StatusCode, string(text)
}

func (b *browser) get(path string) string {
	b.s.t.Helper()
	status, text := b.do(path)
	if status != http.StatusOK {
		b.s.t.Fatalf("GET %s = %d\n%s", path, status, text)
	}
	return text
}

func has(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("the page lacks %q:\n%s", text, body)
		}
	}
}

func lacks(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(body, text) {
			t.Errorf("the page has %q:\n%s", text, body)
		}
	}
}

func TestTheListIsShownNewestFirstPageByPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	support := s.as(access.Support)
	s.many(60, "acme")
	s.append(audit.Entry{Action: audit.ActionBackup, Actor: "cli <ops>"}, audit.Entry{Action: audit.ActionErase, Actor: "cli ops", Account: "other", Subject: "theirs"})
	first := support.get("/audit")
	has(t, first, "cli &lt;ops&gt;", "all accounts", "acme-59.", "Verified 64 entries, head <code>")
	lacks(t, first, "theirs", "acme-10.")
	if at, before := strings.Index(first, "acme-59."), strings.Index(first, "acme-58."); at > before {
		t.Error("the oldest comes first")
	}
	if got := strings.Count(first, `data-testid="audit-entry"`); got != 50 {
		t.Errorf("the first page has %d entries, want 50", got)
	}
	next := regexp.MustCompile(`href="/console(/audit\?[^"]*before=\d+)"`).FindStringSubmatch(first)
	if next == nil {
		t.Fatalf("there is no next page:\n%s", first)
	}
	second := support.get(strings.ReplaceAll(next[1], "&amp;", "&"))
	has(t, second, "acme-10.", "acme-0.", "console.sign_in")
	lacks(t, second, "acme-11.", "Older entries")
	for _, wrong := range []string{"?before=x", "?before=0", "?before=-3"} {
		if status, _ := support.do("/audit" + wrong); status != http.StatusNotFound {
			t.Errorf("%s = %d, want 404", wrong, status)
		}
	}
}

func TestAListThatEndsWithThePageOffersNoOlderEntries(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	support := s.as(access.Support) // two entries
	s.many(48, "acme")
	body := support.get("/audit")
	if got := strings.Count(body, `data-testid="audit-entry"`); got != 50 {
		t.Errorf("the page has %d entries, want 50", got)
	}
	lacks(t, body, "Older entries")
	s.append(audit.Entry{Action: audit.ActionErase, Actor: "cli ops", Account: "other"}) // another's does not count
	lacks(t, support.get("/audit"), "Older entries")
	s.many(1, "acme")
	has(t, support.get("/audit"), "Older entries")
}

func TestTheListIsFiltered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	s.append(
		audit.Entry{Action: audit.ActionKeyCreate, Actor: "console Ann", Account: "acme", Subject: "k1"},
		audit.Entry{Action: audit.ActionKeyRevoke, Actor: "console bob", Account: "acme", Subject: "k2"},
		audit.Entry{Action: audit.ActionUnmask, Actor: "console ann", Account: "acme", Subject: "n3"},
	)
	keys := owner.get("/audit?action=key.")
	has(t, keys, ">k1<", ">k2<", `value="key."`)
	lacks(t, keys, ">n3<")
	ann := owner.get("/audit?actor=ann")
	has(t, ann, ">k1<", ">n3<")
	lacks(t, ann, ">k2<")
	has(t, owner.get("/audit?actor=nobody"), "Nothing fits.")
	// A filter that fits nothing looks at a bounded number of entries and says how far.
	s.many(500, "other")
	has(t, owner.get("/audit?action=key.&actor=ann"), ">k1<")
}

func TestABrokenChainIsShownWithItsFirstBadEntry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement string
		broken          int
	}{
		{"a changed entry", `UPDATE audit SET entry = replace(entry, 'acme-2.', 'acme-9.') WHERE seq = 5`, 5},
		{"a removed entry", `DELETE FROM audit WHERE seq = 4`, 4},
		{"an unreadable entry", `UPDATE audit SET entry = 'x' WHERE seq = 6`, 6},
		{"a changed time", `UPDATE audit SET at = at + 1 WHERE seq = 3`, 3},
		{"a copy as number 0", `INSERT INTO audit SELECT 0, at, key_id, entry, link FROM audit WHERE seq = 3`, 1},
		{"a copy as number -1", `INSERT INTO audit SELECT -1, at, key_id, entry, link FROM audit WHERE seq = 3`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			owner := s.as(access.Owner) // two entries
			s.many(6, "acme")
			has(t, owner.get("/audit"), "Verified 8 entries", "flash good")
			s.tamper(c.statement)
			body := owner.get("/audit")
			has(t, body, "The list does not hold together", fmt.Sprintf("the first bad entry is number <strong>%d</strong>", c.broken), fmt.Sprintf("Verified %d entries", c.broken-1), "flash bad")
			lacks(t, body, "Nothing in the list was changed")
			if c.name != "a removed entry" {
				has(t, body, fmt.Sprintf(`class="broken"><td data-label="No." class="figure">%d <span class="tag bad">bad</span>`, c.broken))
			}
			has(t, owner.get("/audit/proof"), "The list does not hold together")
		})
	}
}

func TestAnEntryBelowTheFirstIsMarkedAndNoOtherWhileNothingIsProved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner) // two entries
	const bad = ` <span class="tag bad">bad</span>`
	s.tamper(`UPDATE audit SET seq = 5001 WHERE seq = 2`) // too long to be proved unasked
	lacks(t, owner.get("/audit"), bad)
	s.tamper(`INSERT INTO audit SELECT 0, at, key_id, entry, link FROM audit WHERE seq = 1`)
	body := owner.get("/audit")
	has(t, body, `class="broken"><td data-label="No." class="figure">0`+bad)
	if n := strings.Count(body, bad); n != 1 {
		t.Errorf("%d entries are marked, want that one", n)
	}
}

func TestALongListIsProvedWhenSomebodyAsksAndOneAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	s.many(1, "acme")
	// The numbers alone decide what is long: they are far apart in this list.
	s.tamper(`UPDATE audit SET seq = 5001 WHERE seq = 3`)
	body := owner.get("/audit")
	has(t, body, "Verify all 5\u202f001 entries")
	lacks(t, body, `data-testid="proof"`)
	s.tamper(`UPDATE audit SET seq = 3 WHERE seq = 5001`)
	s.prover.hold, s.prover.held = make(chan struct{}), make(chan struct{})
	done := make(chan string)
	go func() {
		_, text := owner.do("/audit/proof", "HX-Request", "true")
		done <- text
	}()
	<-s.prover.held
	if status, text := owner.do("/audit/proof"); status != http.StatusServiceUnavailable || !strings.Contains(text, "for somebody else") {
		t.Errorf("a second proof at once = %d\n%s", status, text)
	}
	close(s.prover.hold)
	text := <-done
	has(t, text, "Verified 3 entries, head")
	lacks(t, text, "<html")
}
