package server_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	navigation = regexp.MustCompile(`(?s)<nav aria-label="Pages">.*?</nav>`)
	href       = regexp.MustCompile(`href="(/console/[^"]*)"`)
	shownKey   = regexp.MustCompile(`data-testid="api-key">(otp_live_[A-Za-z0-9_]+)<`)
	shownTest  = regexp.MustCompile(`data-testid="test-result">([^<]*)<`)
	shownProof = regexp.MustCompile(`data-testid="proof">(Verified \d+ entries)`)
)

func TestAnOwnerSetsEverythingUpAtTheDeskAndSendsWithIt(t *testing.T) {
	t.Parallel()
	received := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.Header.Get("X-Door") }))
	t.Cleanup(hook.Close)
	r := start(t, fresh(t), "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	p := r.enter()
	visited := 0
	for _, link := range href.FindAllStringSubmatch(navigation.FindString(p.body), -1) {
		p.open(link[1])
		if p.status != http.StatusOK {
			t.Errorf("%s = %d\n%s", link[1], p.status, p.body)
		}
		visited++
	}
	if visited < 9 {
		t.Errorf("the navigation has %d pages, want the phones, OTPs, numbers, the desk and the audit list", visited)
	}

	p.open("/console/templates/new")
	p.submit("/templates", "channel", "SMS", "name", "desk", "language", "en", "message", "Desk code {{otp_code}}", "codeExpirationTime", "3")
	p.open("/console/plans/profiles/new")
	p.submit("/plans/profiles", "name", "desk", "attempts", "3", "otpCodeLength", "7", "link", "SMS en desk")
	p.open("/console/plans/priorities/new")
	p.submit("/plans/priorities", "name", "desk", "first", "SMS")
	p.open("/console/plans/applications/new")
	p.submit("/plans/applications", "name", "desk")
	p.open("/console/callbacks/new")
	p.submit("/callbacks", "url", hook.URL, "headers", "X-Door: k3y")
	back := callbackPage.FindStringSubmatch(p.body)
	if back == nil || !strings.Contains(p.body, "whsec_") {
		t.Fatalf("no secret on the page after a callback was made:\n%s", p.body)
	}
	p.open(back[1])
	p.submit("/test")
	if m := shownTest.FindStringSubmatch(p.body); m == nil || !strings.HasPrefix(m[1], "The test event was received: 200 OK") {
		t.Errorf("a test event: %v\n%s", m, p.body)
	}
	if got := <-received; got != "k3y" {
		t.Errorf("the test event came with X-Door %q", got)
	}

	p.open("/console/keys")
	p.submit("/keys", "name", "desk")
	key := shownKey.FindStringSubmatch(p.body)
	if key == nil {
		t.Fatalf("no key on\n%s", p.body)
	}
	first := r.key
	r.key = key[1]
	id := idOf(t, r.must(http.StatusAccepted, http.MethodPost, "/2fa/v4/otp", `{"to":"+4915112345678","profileName":"desk","priorityName":"desk"}`))
	if text := r.inbox(id, 1)[0].Text; !regexp.MustCompile(`^Desk code \d{7}$`).MatchString(text) {
		t.Errorf("the message is %q", text)
	}
	if got := <-received; got != "k3y" { // of the OTP's event
		t.Errorf("the event came with X-Door %q", got)
	}
	p.open("/console/keys")
	revoke := regexp.MustCompile(`action="(/console/keys/revoke/` + key[1][len("otp_live_"):len("otp_live_")+12] + `)"`).FindStringSubmatch(p.body)
	if revoke == nil {
		t.Fatalf("the key cannot be revoked on\n%s", p.body)
	}
	p.submit(strings.TrimPrefix(revoke[1], "/console"))
	eventually(t, "the key is refused", func() bool {
		status, _ := r.call(http.MethodGet, "/2fa/v4/profiles", "")
		return status == http.StatusForbidden
	}, func() string { return p.body })
	r.key = first

	p.open("/console/operation")
	for _, want := range []string{"this one", "sandbox", "Not conformant: callbacks may go to loopback", `data-testid="queue-dead">0<`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page of the operation lacks %q:\n%s", want, p.body)
		}
	}
	p.open("/console/audit")
	for _, want := range []string{
		"template.create", "profile.create", "priority.create", "application.create", "callback.create", "callback.test", "key.create", "key.revoke",
	} {
		if !strings.Contains(p.body, "<code>"+want+"</code>") {
			t.Errorf("the audit list lacks %q:\n%s", want, html.UnescapeString(p.body))
		}
	}
	if shownProof.FindString(p.body) == "" {
		t.Errorf("the list does not prove itself on\n%s", p.body)
	}
}

var proposed = regexp.MustCompile(`name="(attempts|otpCodeLength|codeExpirationTime)" value="([^"]*)"`)

// proposed are the numbers that the page's form begins with, as submit takes
// them.
func (p *person) proposed() []string {
	var pairs []string
	for _, field := range proposed.FindAllStringSubmatch(p.body, -1) {
		pairs = append(pairs, field[1:]...)
	}
	return pairs
}

func TestTheDeskProposesWhatTheOperatorChose(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "countersign.toml")
	const chosen = "[v4]\nmax_attempts = 2\ndefault_attempts = 2\ndefault_code_length = 8\ndefault_minutes = 10\n"
	if err := os.WriteFile(file, []byte(chosen), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, fresh(t), "COUNTERSIGN_CONFIG="+file).enter()
	for _, c := range []struct {
		form, to string
		typed    []string
		want     []string
	}{
		{"/templates/new", "/templates", []string{"channel", "SMS", "name", "desk", "language", "en", "message", "{{otp_code}}"}, []string{"codeExpirationTime", "10"}},
		{"/plans/profiles/new", "/plans/profiles", []string{"name", "desk", "link", "SMS en desk"}, []string{"otpCodeLength", "8", "attempts", "2"}},
	} {
		p.open("/console" + c.form)
		got := p.proposed()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s proposes %q, want %q", c.form, got, c.want)
		}
		p.submit(c.to, append(c.typed, got...)...)
		if p.status != http.StatusOK {
			t.Errorf("what %s proposes is answered by %d:\n%s", c.form, p.status, p.body)
		}
	}
}
