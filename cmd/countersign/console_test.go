package main_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestAnInviteIsALinkThatARunningServerTakesOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve()
	link := p.done("console", "invite", "--account", "default", "--role", "support")
	at, token, found := strings.Cut(link, "#")
	if !regexp.MustCompile(`^http://127\.0\.0\.1:0/console/enter#[A-Za-z0-9_-]{43}$`).MatchString(link) || !found {
		t.Fatalf("console invite printed %q", link) // port 0 is what the settings of this test say
	}
	if _, path, ok := strings.Cut(at, ":0"); !ok || path != "/console/enter" {
		t.Errorf("the link's path is %q", path)
	}
	for i, want := range []int{http.StatusOK, http.StatusUnprocessableEntity} {
		status, body := follow(t, s.url+"/console/enter", token)
		if status != want || want == http.StatusOK && !strings.Contains(body, "support of default") {
			t.Errorf("following it for time %d = %d\n%s", i+1, status, body)
		}
	}
	if out := p.done("console", "users"); out != "" {
		t.Errorf("console users printed %q; want nobody, as none has a password", out)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"console", "invite", "--account", "nobody", "--role", "owner"}, 1, "no such account"},
		{[]string{"console", "invite", "--account", "default", "--role", "king"}, 2, "owner"},
		{[]string{"console", "invite", "--account", "default"}, 2, "--role"},
		{[]string{"console", "remove", "nothing"}, 1, "no such console user"},
	} {
		if r := p.run("", c.args...); r.code != c.code || r.out != "" || !strings.Contains(r.err, c.says) {
			t.Errorf("%v: exit code %d, out %q, err %q; want %d and %q", c.args, r.code, r.out, r.err, c.code, c.says)
		}
	}
}

func TestUsersAreListedByAccountAndRemovedFromTheirs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, name := range []string{"acme", "empty", "zeta"} {
		p.done("account", "create", name)
	}
	db := p.open()
	for _, statement := range []string{
		`INSERT INTO console_users (id, account_id, name, role, password, totp, created_at)
			SELECT 'u1', id, 'jo', 'owner', '', '', 3000000 FROM accounts WHERE name = 'zeta'`,
		`INSERT INTO console_users (id, account_id, name, role, password, totp, created_at)
			SELECT 'u2', id, 'mo', 'support', '', '', 2000000 FROM accounts WHERE name = 'acme'`,
		`INSERT INTO console_users (id, account_id, name, role, password, totp, created_at)
			SELECT 'u3', id, 'al', 'owner', '', '', 1000000 FROM accounts WHERE name = 'acme'`,
	} {
		if p.url == "" {
			statement = strings.Replace(statement, "'', '',", "'', x'',", 1)
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const al, mo, jo = "u3\tacme\towner\tal\t", "u2\tacme\tsupport\tmo\t", "u1\tzeta\towner\tjo\t"
	listed := func(want []string, args ...string) {
		t.Helper()
		out := p.done(append([]string{"console", "users"}, args...)...)
		lines := strings.Fields(out)
		if len(lines) != 5*len(want) {
			t.Fatalf("console users %v printed %q; want %d lines", args, out, len(want))
		}
		for i, line := range strings.Split(out, "\n") {
			if i < len(want) && !strings.HasPrefix(line, want[i]) {
				t.Errorf("line %d of console users %v is %q; want %q", i+1, args, line, want[i])
			}
		}
	}
	listed([]string{al, mo, jo})
	listed([]string{al, mo}, "--account", "acme")
	listed(nil, "--account", "empty")
	p.done("console", "remove", "u2")
	p.done("console", "remove", "u1")
	listed([]string{al})
	if r := p.run("", "console", "remove", "u1"); r.code != 1 || !strings.Contains(r.err, "no such console user") {
		t.Errorf("removing again: exit code %d, %q; want 1 and that there is no such user", r.code, r.err)
	}
}

// follow posts the form that a one-time link leads to.
func follow(t *testing.T, at, token string) (int, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	do := func(method string, form url.Values) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	_, page := do(http.MethodGet, nil)
	csrf := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if csrf == nil {
		t.Fatalf("no form on %s:\n%s", at, page)
	}
	return do(http.MethodPost, url.Values{"csrf": {csrf[1]}, "token": {token}})
}
