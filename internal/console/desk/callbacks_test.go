package desk_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/store/storetest"
)

// receiver is a customer's endpoint that keeps the last request.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	status int
	header http.Header
	body   []byte
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header, r.body = q.Header.Clone(), body
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) last() (http.Header, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header, r.body
}

var secretShown = regexp.MustCompile(`data-testid="secret">(whsec_[^<]+)<`)

// made posts the form of a new callback and returns its path and secret.
func (b *browser) made(pairs ...string) (at, secret string) {
	b.s.t.Helper()
	a := b.post(http.StatusOK, "/callbacks", pairs...)
	id := regexp.MustCompile(`/console(/callbacks/[0-9a-f-]{36})"`).FindStringSubmatch(a.body)
	shown := secretShown.FindStringSubmatch(a.body)
	if id == nil || shown == nil {
		b.s.t.Fatalf("no id or no secret on\n%s", a.body)
	}
	return id[1], strings.ReplaceAll(shown[1], "&#43;", "+")
}

func TestACallbackIsMadeAndItsSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	owner.get(http.StatusOK, "/callbacks").has("There is none yet.")
	owner.get(http.StatusOK, "/callbacks/new").has("All profiles")
	var at, secret string
	created := s.audited(func() {
		at, secret = owner.made("url", "https://user:pass@hooks.example/in/tray?token=t0ps3cret", "headers", "X-Door: k3y\r\n\r\nx-other:  two words ")
	})
	id := strings.TrimPrefix(at, "/callbacks/")
	if created != "callback.create "+id {
		t.Errorf("audited: %q", created)
	}
	all, err := s.catalog.Callbacks(t.Context(), acme)
	s.must(err)
	if len(all) != 1 || all[0].URL != "https://user:pass@hooks.example/in/tray?token=t0ps3cret" || len(all[0].Headers) != 2 {
		t.Fatalf("configurations are %+v", all)
	}
	hidden := []string{"pass", "t0ps3cret", "k3y", "two words", secret}
	for _, path := range []string{"/callbacks", at} {
		owner.get(http.StatusOK, path).has("https://hooks.example/in/tray?…").lacks(hidden...)
		support.get(http.StatusOK, path).has("https://hooks.example/…").lacks(append(hidden, "tray", "New callback", "test event", "Delete")...)
	}
	owner.get(http.StatusOK, at).has("<code>X-Door</code>", "<code>x-other</code>")
	owner.get(http.StatusOK, at+"/edit").has("https://user:pass@hooks.example/in/tray?token=t0ps3cret", "X-Door").lacks("k3y", secret)
	support.get(http.StatusForbidden, at+"/edit").lacks(hidden...)
	owner.get(http.StatusNotFound, "/callbacks/"+strings.Repeat("0", 8))

	foreign, _ := s.Configure(other, catalog.Callback{URL: "https://theirs.example"})
	owner.get(http.StatusOK, "/callbacks").lacks("theirs.example")
	for _, path := range []string{"", "/edit"} {
		owner.get(http.StatusNotFound, "/callbacks/"+foreign+path)
	}
	for _, path := range []string{"/edit", "/delete", "/test", "/rotate", "/replay", "/replay-all"} {
		owner.post(http.StatusNotFound, "/callbacks/"+foreign+path, "url", "https://x.example")
	}
}

func TestHeadersOfACallbackAreKeptReplacedAndDropped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	at, _ := owner.made("url", "https://a.example", "headers", "X-One: 1\nX-Two: 2\nX-Three: 3")
	changed := s.audited(func() {
		owner.change(http.StatusSeeOther, at+"/edit", "url", "https://b.example", "keep", "X-One", "keep", "X-Two", "headers", "x-two: new")
	})
	if changed != "callback.change "+strings.TrimPrefix(at, "/callbacks/") {
		t.Errorf("audited: %q", changed)
	}
	all, err := s.catalog.Callbacks(t.Context(), acme)
	s.must(err)
	got := map[string]string{}
	for _, h := range all[0].Headers {
		got[h.Name] = h.Value
	}
	if diff := cmp.Diff(map[string]string{"X-One": "1", "x-two": "new"}, got); diff != "" || all[0].URL != "https://b.example" {
		t.Errorf("headers (-want +got):\n%s\nURL %s", diff, all[0].URL)
	}
}

// manyHeaders is n lines of headers.
func manyHeaders(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "X-H%d: v\n", i)
	}
	return lines.String()
}

func TestACallbackFormComesBackWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	at, _ := owner.made("url", "https://a.example", "headers", "X-One: 1")
	for _, c := range []struct{ url, headers, profile, field, problem string }{
		{"", "", "", "url", "The URL must not be blank."},
		{"ftp://x", "", "", "url", "The URL must be an absolute http or https URL without fragment."},
		{"http://169.254.169.254/", "", "", "url", "The URL must not point to an address that callbacks may not reach."},
		{"https://x.example", "no colon", "", "headers", "A header has a name, a colon and a value, such as X-Token: abc."},
		{"https://x.example", "Content-Type: x", "", "headers", "One of the headers must not be a reserved header."},
		{"https://x.example", "webhook-id: x", "", "headers", "One of the headers must not be a reserved header."},
		{"https://x.example", manyHeaders(21), "", "headers", "There can be at most 20 headers."},
		{"https://x.example", "two words: x", "", "headers", "One of the headers has a name with characters that names of headers cannot have."},
		{"https://x.example", "X-Name: schön", "", "headers", "One of the headers has a value with other characters than the visible ones of ASCII, blanks and tabs."},
		{"https://x.example", "", "3d2f3b0e-0000-4000-8000-000000000000", "profileId", "The profile does not exist."},
	} {
		typed := []string{"url", c.url, "headers", c.headers, "profileId", c.profile, "keep", "X-One"}
		for path, send := range map[string]func(int, string, ...string) answer{"/callbacks": owner.post, at + "/edit": owner.change} {
			a := send(http.StatusUnprocessableEntity, path, typed...)
			if got := a.problem(c.field); got != c.problem {
				t.Errorf("%+v at %s: refused with %q", c, path, got)
			}
			a.lacks("whsec_")
		}
	}
	all, err := s.catalog.Callbacks(t.Context(), acme)
	if err != nil || len(all) != 1 || all[0].URL != "https://a.example" {
		t.Errorf("configurations are %+v, %v; want the one of before", all, err)
	}
}

func TestATestEventIsSignedAndItsAnswerShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	r := receive(t)
	at, secret := owner.made("url", r.URL+"/in", "headers", "X-Door: k3y")
	var a answer
	sent := s.audited(func() { a = owner.post(http.StatusOK, at+"/test") })
	if sent != "callback.test "+strings.TrimPrefix(at, "/callbacks/") {
		t.Errorf("audited: %q", sent)
	}
	if got := a.testid("test-result"); !strings.HasPrefix(got, "The test event was received: 204 No Content, after ") {
		t.Errorf("the page says %q", got)
	}
	header, body := r.last()
	if header.Get("X-Door") != "k3y" {
		t.Errorf("headers are %v", header)
	}
	if got, want := string(body), `{"channel":"SMS","otpId":"00000000-0000-0000-0000-000000000000","profileId":"","status":"TEST","timestamp":"2026-01-01T00:00:00.000Z"}`; got != want {
		t.Errorf("the body is %s, want %s", got, want)
	}
	hook, err := standardwebhooks.NewWebhook(secret)
	s.must(err)
	if err := hook.VerifyIgnoringTimestamp(body, header); err != nil {
		t.Errorf("the signature: %v", err)
	}
	r.mu.Lock()
	r.status = http.StatusTeapot
	r.mu.Unlock()
	if got := owner.post(http.StatusOK, at+"/test").testid("test-result"); !strings.HasPrefix(got, "The test event was not received: 418") {
		t.Errorf("the page says %q", got)
	}
	r.Close()
	gone := regexp.MustCompile(`^The test event was not received: (no connection|the connection broke)`) // a kept one may break
	if got := owner.post(http.StatusOK, at+"/test").testid("test-result"); !gone.MatchString(got) {
		t.Errorf("the page says %q", got)
	}
	owner.get(http.StatusOK, at+"?show=waiting").has("Nothing waits.") // it is neither kept nor repeated
}

func TestANewSecretSignsBesideTheOneBefore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	r := receive(t)
	at, first := owner.made("url", r.URL)
	before := owner.get(http.StatusOK, at).lacks("Signs too").testid("secret-now")
	var a answer
	rotated := s.audited(func() { a = owner.post(http.StatusOK, at+"/rotate") })
	if rotated != "callback.rotate "+strings.TrimPrefix(at, "/callbacks/") {
		t.Errorf("audited: %q", rotated)
	}
	a.has("signs beside it until", "2026-01-02 00:00:00")
	second := strings.ReplaceAll(secretShown.FindStringSubmatch(a.body)[1], "&#43;", "+")
	if second == first {
		t.Fatal("the secret is the one of before")
	}
	p := owner.get(http.StatusOK, at).has("Signs too").lacks(first, second)
	if p.testid("secret-now") == before {
		t.Error("the fingerprint is that of before")
	}
	owner.post(http.StatusOK, at+"/test")
	header, body := r.last()
	for _, secret := range []string{first, second} {
		hook, err := standardwebhooks.NewWebhook(secret)
		s.must(err)
		if err := hook.VerifyIgnoringTimestamp(body, header); err != nil {
			t.Errorf("the signature: %v", err)
		}
	}
	s.wall.Add(callback.SecretOverlap)
	owner = s.as(access.Owner)
	owner.get(http.StatusOK, at).lacks("Signs too")
}

func TestDeadLettersAreListedAndReplayed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, support := s.as(access.Owner), s.as(access.Support)
	id, _ := s.Configure(acme, catalog.Callback{URL: "https://a.example"})
	at := "/callbacks/" + id
	owner.get(http.StatusOK, at).has("Nothing waits.")
	const dead = 53 // more than a page
	for range dead {
		s.Send(acme).Dispatch()
	}
	posts, _, err := s.ClaimCallbacks(t.Context(), callback.Claim{Node: "n", Limit: 100, PerConfig: 100, Lease: time.Minute})
	s.must(err)
	for i, p := range posts {
		o := callback.Outcome{ID: p.ID, ConfigID: id, Status: 500}
		if i == 0 {
			o.Status, o.Problem = 0, "timeout"
		}
		s.must(s.RecordPosts(t.Context(), []callback.Outcome{o}))
	}
	waits := s.Send(acme)
	waits.Dispatch()
	owner.get(http.StatusOK, "/callbacks").has(strconv.Itoa(dead))
	a := owner.get(http.StatusOK, at).has("500 Internal Server Error", "no answer in time", "Replay all 53", posts[0].OTPID).lacks(waits.ID)
	if got := strings.Count(a.body, `data-testid="letter"`); got != 50 {
		t.Errorf("the first page has %d letters, want 50", got)
	}
	next := regexp.MustCompile(`\?(after=[^"]+)"`).FindStringSubmatch(a.body)
	if next == nil {
		t.Fatal("there is no next page")
	}
	query := strings.ReplaceAll(next[1], "&amp;", "&")
	if got := strings.Count(owner.get(http.StatusOK, at+"?"+query).body, `data-testid="letter"`); got != 3 {
		t.Errorf("the next page has %d letters, want 3", got)
	}
	for _, wrong := range []string{"?after=x", "?after=AAAA"} {
		owner.get(http.StatusNotFound, at+wrong)
	}
	owner.get(http.StatusOK, at+"?show=waiting").has(waits.ID).lacks("Replay")
	support.get(http.StatusOK, at).has("500 Internal Server Error").lacks("Replay")

	one := s.audited(func() { owner.post(http.StatusSeeOther, at+"/replay", "letter", posts[0].ID) })
	if one != "callback.replay "+id+" "+posts[0].ID {
		t.Errorf("audited: %q", one)
	}
	owner.post(http.StatusSeeOther, at+"/replay", "letter", posts[0].ID)
	owner.get(http.StatusOK, at+"?show=dead").has("There is no such dead letter any more.")
	all := s.audited(func() { owner.post(http.StatusSeeOther, at+"/replay-all") })
	if all != "callback.replay_all "+id {
		t.Errorf("audited: %q", all)
	}
	owner.get(http.StatusOK, at+"?show=waiting").has("52 dead letters are posted again.")
	owner.get(http.StatusOK, at+"?show=dead").has("There are no dead letters.")
	again, _, err := s.ClaimCallbacks(t.Context(), callback.Claim{Node: "n", Limit: 100, PerConfig: 100, Lease: time.Minute})
	if err != nil || len(again) != dead+1 {
		t.Errorf("%d callbacks are due, %v; want all %d", len(again), err, dead+1)
	}
	removed := s.audited(func() { owner.post(http.StatusSeeOther, at+"/delete") })
	if removed != "callback.delete "+id {
		t.Errorf("audited: %q", removed)
	}
	if left, err := s.Letters(t.Context(), storetest.Acme, false, 10); err != nil || len(left) != 0 {
		t.Errorf("%d callbacks are left, %v", len(left), err)
	}
}

func TestTheLongestCallbackFitsItsForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner := s.as(access.Owner)
	var headers strings.Builder
	for i := range 20 {
		name := "X-" + strings.Repeat("h", 124) + string(rune('a'+i)) + "!"
		headers.WriteString(name + ":" + strings.Repeat("+", 2048) + "\r\n") // forms write each as three
	}
	long := "https://a.example/" + strings.Repeat("p", 2048-len("https://a.example/"))
	at, _ := owner.made("url", long, "headers", headers.String())
	owner.change(http.StatusSeeOther, at+"/edit", "url", long, "headers", headers.String())
	all, err := s.catalog.Callbacks(t.Context(), acme)
	if err != nil || len(all) != 1 || len(all[0].Headers) != 20 || len(all[0].Headers[0].Value) != 2048 {
		t.Errorf("configurations are %d, %v; want one with twenty headers", len(all), err)
	}
}

func TestNoTestEventIsPostedInQuarantine(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *desk.Config) {
		c.Test = func(context.Context, callback.Post) (callback.Outcome, error) {
			return callback.Outcome{}, desk.ErrQuarantined
		}
	})
	owner := s.as(access.Owner)
	id, _ := s.Configure(acme, catalog.Callback{URL: "https://a.example"})
	audited := s.audited(func() {
		owner.post(http.StatusConflict, "/callbacks/"+id+"/test").has("The database is quarantined: no callback is posted.").lacks("The test event")
	})
	if want := "callback.test " + id + "\nnot_done callback.test " + id; audited != want {
		t.Errorf("audited: %q, want %q", audited, want)
	}
}
