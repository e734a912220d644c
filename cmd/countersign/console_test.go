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
