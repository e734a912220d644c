package server_test

import (
	"bufio"
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/verify"
)

// person is somebody at a browser.
type person struct {
	t      *testing.T
	server string
	client *http.Client
	at     string // the page they are on
	body   string
	status int
}

func (r *running) person() *person {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	transport := &http.Transport{}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &person{t: r.t, server: r.url, client: &http.Client{Jar: jar, Transport: transport, Timeout: patience}}
}

// open opens a page, following where it leads.
func (p *person) open(at string) {
	p.t.Helper()
	p.request(http.MethodGet, at, "")
}

func (p *person) request(method, at, body string) {
	p.t.Helper()
	if strings.HasPrefix(at, "/") {
		at = p.server + at
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.at, p.body, p.status = resp.Request.URL.String(), string(text), resp.StatusCode
}

var (
	someForm   = regexp.MustCompile(`(?s)<form[^>]* action="([^"]+)".*?</form>`)
	hiddenForm = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
)

// submit fills in the page's form that goes to a path ending so.
func (p *person) submit(ending string, pairs ...string) {
	p.t.Helper()
	for _, form := range someForm.FindAllStringSubmatch(p.body, -1) {
		if !strings.HasSuffix(form[1], ending) {
			continue
		}
		values := url.Values{}
		for _, field := range hiddenForm.FindAllStringSubmatch(form[0], -1) {
			values.Set(field[1], html.UnescapeString(field[2]))
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			values.Set(pairs[i], pairs[i+1])
		}
		p.request(http.MethodPost, form[1], values.Encode())
		return
	}
	p.t.Fatalf("%s has no form to %s:\n%s", p.at, ending, p.body)
}

// sees waits until a page that is loaded again and again shows a text.
func (p *person) sees(text string) {
	p.t.Helper()
	eventually(p.t, "the page shows "+text, func() bool {
		p.open(p.at)
		return strings.Contains(p.body, text)
	}, func() string { return p.body })
}

var consoleLine = regexp.MustCompile(`(?m)^console (\S+)#(\S+)$`)

// enter follows the link that the server printed.
func (r *running) enter() *person {
	r.t.Helper()
	link := consoleLine.FindStringSubmatch(r.out.String())
	if link == nil {
		r.t.Fatalf("no console link in %q", r.out)
	}
	p := r.person()
	p.open(link[1])
	p.submit("/enter", "token", link[2])
	return p
}

func TestANewcomerSendsAndTypesACodeOnTheVirtualPhoneByClickingOnly(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	p := r.enter()
	if !strings.HasSuffix(p.at, "/console/phones") {
		t.Fatalf("the link leads to %s", p.at)
	}
	for via, code := range map[string]*regexp.Regexp{
		"sms":      regexp.MustCompile(`Your code is (\d{6})`),
		"voice":    regexp.MustCompile(`Your code is (\d(?:, \d){5})`),
		"viber":    regexp.MustCompile(`Your code is (\d{6})`),
		"whatsapp": regexp.MustCompile(`\*(\d{6})\* is your`),
	} {
		p.open("/console/phones")
		p.submit("/phones", "to", "+49 151 1234"+map[string]string{"sms": "1111", "voice": "2222", "viber": "3333", "whatsapp": "4444"}[via], "via", via)
		if !strings.Contains(p.body, `data-testid="otp-status">ACTIVE<`) {
			t.Fatalf("%s: the page after sending is %s\n%s", via, p.at, p.body)
		}
		p.sees(`data-testid="message"`)
		found := code.FindStringSubmatch(p.body)
		if found == nil {
			t.Fatalf("%s: no code on the phone\n%s", via, p.body)
		}
		p.submit("/check", "code", "none")
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "This code is wrong.") || !strings.Contains(p.body, ">1 of 3 attempts<") {
			t.Errorf("%s: the page after a wrong code is %d\n%s", via, p.status, p.body)
		}
		p.submit("/check", "code", strings.ReplaceAll(found[1], ", ", ""))
		for _, want := range []string{`data-testid="otp-status">VERIFIED<`, "The code is right.", "$API_KEY", "/validate&#39;"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("%s: the page after the code lacks %q\n%s", via, want, p.body)
			}
		}
	}
	p.open("/console/audit") // P-07: what the pages set up for a test code too
	for _, want := range []string{"template.create", "profile.create", "priority.create"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the audit page does not show %s\n%s", want, p.body)
		}
	}
	if strings.Contains(r.log.String(), "+4915112341111") || strings.Contains(r.log.String(), "console/enter#") {
		t.Errorf("the log holds what it must not:\n%s", r.log)
	}
}

func TestAnOrderOnAPhoneActsOnTheNextMessagesOnAnyChannel(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	p := r.enter()
	p.submit("/phones", "to", "+4915112345678", "via", "sms")
	p.sees(`data-channel="SMS"`)
	p.submit("/order", "does", "refuse")
	p.submit("/phones", "via", "sms-voice")
	round := p.at
	refused := regexp.MustCompile(`otp=([0-9a-f-]+)`).FindStringSubmatch(round)[1]
	beside(t, dir, func(d *server.Deployment) {
		failed := func() (n int) {
			events, err := d.Store.Events(t.Context(), verify.Ref{Account: "default", Origin: "v4", ID: refused})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Kind == otp.EventUndeliverable {
					n++
				}
			}
			return n
		}
		eventually(t, "SMS and call are refused", func() bool { return failed() == 2 }, func() string { return r.log.String() })
	})
	p.submit("/order", "does", "normal")
	p.open(round)
	p.submit("/phones", "via", "voice")
	p.sees(`data-channel="VOICE"`)
	if got := r.must(200, "GET", "/sandbox/messages?otpId="+refused, ""); strings.TrimSpace(got) != "[]" {
		t.Errorf("of the OTP that was refused on both channels the phone has %s", got)
	}
}

// waitIn waits for a message that does not come and returns the answer.
func (r *running) waitIn(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/sandbox/messages/wait?timeout=50", nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("apiKey", r.key)
	resp, err := r.client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func TestALivePageAndAWaitingCallerDoNotHoldUpADrain(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	p := r.enter()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/console/live?topic=phones", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	stream := bufio.NewReader(resp.Body)
	if line, err := stream.ReadString('\n'); err != nil || line != "retry: 1000\n" {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	answered := make(chan string, 1)
	asked := make(chan struct{})
	waiting := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(asked) }})
	go func() { answered <- r.waitIn(waiting) }()
	<-asked
	r.person().open("/livez") // on a connection behind that of who waits: the server has taken both before it drains
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if log := r.log.String(); strings.Contains(log, "requests were cut off") {
		t.Errorf("the drain waited for them in vain:\n%s", log)
	}
	if _, err := io.ReadAll(stream); err != nil {
		t.Errorf("the stream was cut: %v", err)
	}
	if body := <-answered; strings.TrimSpace(body) != "[]" {
		t.Errorf("who waited got %q, want []", body)
	}
}

func TestAWaitingCallerGetsTheMessage(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.configure()
	got := make(chan string, 1)
	go func() { got <- r.must(200, "GET", "/sandbox/messages/wait?to=%2B4915112345678&timeout=50", "") }()
	otp := r.send("+4915112345678")
	if body := <-got; !strings.Contains(body, otp) {
		t.Errorf("the wait answered %s, want the message of %s", body, otp)
	}
}

func TestAPasswordIsNeededWhereOthersReachTheServer(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	for name, environ := range map[string][]string{
		"every address":    {"COUNTERSIGN_LISTEN=0.0.0.0:0", "COUNTERSIGN_TLS_CERT=" + cert, "COUNTERSIGN_TLS_KEY=" + key},
		"a public address": {"COUNTERSIGN_PUBLIC_URL=https://otp.example.com/base"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		r := start(t, dir, environ...)
		link := consoleLine.FindStringSubmatch(r.out.String())
		if link == nil {
			t.Fatalf("%s: printed %q", name, r.out)
		}
		// The pages lead to each other without the path.
		if name == "a public address" && link[1] != "https://otp.example.com/console/enter" {
			t.Errorf("the link is %s", link[1])
		}
		d, err := server.Open(t.Context(), settings(t, dir, environ...), slog.New(slog.DiscardHandler), server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		doors := d.Access(func() bool { return true })
		if doors.IsLocal() {
			t.Errorf("%s: a link alone signs in", name)
		}
		if i, err := doors.Invited(t.Context(), link[2]); err != nil || i.Account != "default" || i.Role != access.Owner {
			t.Errorf("%s: the link is for %+v, %v", name, i, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
