package main_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// configured is a place with a settings file; write replaces it.
func configured(t *testing.T, toml string) (p *place, write func(string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.toml")
	write = func(toml string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(toml)
	return newPlace(t, "COUNTERSIGN_CONFIG="+path, "SECRET=whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))), write
}

// webhookAt is a carrier that a double of this test serves.
func webhookAt(name, url string) string {
	return "[[carrier]]\nname = \"" + name + "\"\ntype = \"webhook\"\nurl = \"" + url + "\"\nsecret = \"env:SECRET\"\nallow_private = true\n"
}

// receiver answers every message with a status and tells what it read.
func receiver(t *testing.T, status int) (url string, got <-chan string) {
	t.Helper()
	bodies := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			bodies <- string(body)
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, bodies
}

func TestCarrierCheckTellsWhatIsWrongWithEachAndSendsNoMessage(t *testing.T) {
	t.Parallel()
	good, got := receiver(t, http.StatusOK)
	bad, _ := receiver(t, http.StatusUnauthorized)
	p, write := configured(t, webhookAt("good", good)+webhookAt("bad", bad))
	r := p.run("", "carrier", "check")
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if r.code != 1 || len(lines) != 2 || lines[0] != "good\twebhook\tok" || !strings.HasPrefix(lines[1], "bad\twebhook\t") || !strings.Contains(lines[1], "countersign.toml:7: ") || !strings.Contains(lines[1], "401") {
		t.Errorf("carrier check printed %q, %q, exit code %d; want one ok, one not, 1", r.out, r.err, r.code)
	}
	if body := <-got; !strings.Contains(body, "carrier.check") || strings.Contains(body, "text") {
		t.Errorf("the receiver read %s; want a check without a message", body)
	}
	if out := p.done("carrier", "check", "good"); out != "good\twebhook\tok" {
		t.Errorf("carrier check good printed %q", out)
	}
	if r := p.run("", "carrier", "check", "none"); r.code != 2 || !strings.Contains(r.err, `there is no carrier "none"`) {
		t.Errorf("carrier check none: exit code %d, %q; want 2", r.code, r.err)
	}
	write(webhookAt("good", good) + "colour = \"red\"\n")
	for _, args := range [][]string{{"carrier", "check"}, {"serve"}} {
		if r := p.run("", args...); r.code != 2 || !strings.Contains(r.err, `countersign.toml:7: carrier "good": unknown key "colour"`) {
			t.Errorf("%v with a wrong key: exit code %d, %q; want 2 and the line", args, r.code, r.err)
		}
	}
}

func TestRouteExplainSaysWhoWouldCarryAMessageAndWhy(t *testing.T) {
	t.Parallel()
	p, write := configured(t, webhookAt("a", "http://127.0.0.1:1/")+webhookAt("b", "http://127.0.0.1:2/")+`
[[route]]
channels = ["SMS"]
country = "DE"
carriers = [{ name = "a", weight = 3 }, { name = "b" }]

[[route]]
channels = ["SMS"]
prefix = "+43"
carriers = ["b", "a"]
`)
	text := p.done("route", "explain", "+4915112345678", "SMS")
	for _, line := range []string{"SMS\t+49…78 in DE", "country DE\tdecides", "prefix +43\tdoes not fit", "carrier\t1\ta\twebhook\tfirst for 3 of 4", "carrier\t2\tb\twebhook\tfirst for 1 of 4"} {
		if !strings.Contains(text, line) {
			t.Errorf("explained %q; want %q", text, line)
		}
	}
	text = p.done("route", "explain", "+43123456789", "sms")
	for _, line := range []string{"carrier\t1\tb\twebhook\tfirst\n", "carrier\t2\ta\twebhook\tif those before fail"} {
		if !strings.Contains(text, line) {
			t.Errorf("explained %q; want %q", text, line)
		}
	}
	for _, args := range [][]string{{"+33612345678", "SMS"}, {"+4915112345678", "VOICE"}, {"user@example.com", "EMAIL"}} {
		if text := p.done("route", "explain", args[0], args[1]); !strings.HasSuffix(text, "carrier\tnone\tUNDELIVERABLE") {
			t.Errorf("%v explained %q; want nobody", args, text)
		}
	}
	write("")
	if text := p.done("route", "explain", "user@example.com", "EMAIL"); !strings.Contains(text, "carrier\t1\tsandbox\tsandbox\tfirst") {
		t.Errorf("without carriers explained %q; want the sandbox", text)
	}
	for _, number := range []string{"015112345678", "+015112345678", "+999"} {
		if r := p.run("", "route", "explain", number, "SMS"); r.code != 2 || !strings.Contains(r.err, "NUMBER is ") {
			t.Errorf("%s: exit code %d, %q%q; want 2, as it is not in international form", number, r.code, r.out, r.err)
		}
	}
	if r := p.run("", "route", "explain", "+4915112345678", "FAX"); r.code != 2 || !strings.Contains(r.err, "no channel") {
		t.Errorf("FAX: exit code %d, %q; want 2", r.code, r.err)
	}
}

func TestSIGHUPTakesOverCarriersAndAWrongFileChangesNothing(t *testing.T) {
	t.Parallel()
	url, got := receiver(t, http.StatusAccepted)
	p, write := configured(t, "")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	said := func() string {
		t.Helper()
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	s := p.serveTo(log)
	answers := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			status, _, err := s.get("/sandbox/messages")
			if err == nil && status == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the sandbox answers %d, %v; want %d", status, err, want)
			}
		}
	}
	hang := func() {
		t.Helper()
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	answers(http.StatusOK)
	write(webhookAt("gateway", url))
	hang()
	answers(http.StatusNotFound) // K-05: now there is a real carrier
	write(webhookAt("gateway", url) + "[[route]]\nchannels = [\"SMS\"]\nprefix = \"49\"\ncarriers = [\"gateway\"]\n")
	hang()
	// The file is mended below: not before the server has read it.
	for deadline := time.Now().Add(patience); !strings.Contains(said(), "settings not reloaded"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the wrong file was not refused:\n%s", said())
		}
	}
	p.done("--config", os.DevNull, "send", "--account", "default", "--to", "+4915112345678") // a command would refuse that file
	select {
	case body := <-got:
		if !strings.Contains(body, `"delivery.submit"`) || !sixDigits.MatchString(body) {
			t.Errorf("the carrier read %s; want a message with a code", body)
		}
	case <-time.After(patience):
		t.Fatal("the carrier got nothing")
	}
	write(webhookAt("gateway", url))
	if r := p.run("", "inbox"); r.code != 2 || !strings.Contains(r.err, "there is no sandbox") {
		t.Errorf("inbox: exit code %d, %q%q; want 2", r.code, r.out, r.err)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if log := said(); !strings.Contains(log, "settings not reloaded; the old ones stay") || !strings.Contains(log, "countersign.toml:9: route: prefix") {
		t.Errorf("the log does not name file and line of what was wrong:\n%s", log)
	}
}
