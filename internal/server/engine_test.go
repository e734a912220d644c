package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

// gateway is a receiver of webhooks that answers as each of answers says in turn,
// and for ever after as the last.
func gateway(t *testing.T, answers ...func() (status int)) (url string, got <-chan string) {
	t.Helper()
	messages, turns := make(chan string, 100), make(chan int, 1)
	turns <- 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message, _ := io.ReadAll(r.Body)
		turn := <-turns
		turns <- min(turn+1, len(answers)-1)
		messages <- string(message)
		w.WriteHeader(answers[turn]())
	}))
	t.Cleanup(s.Close)
	return s.URL, messages
}

func always(status int) func() int { return func() int { return status } }

// webhook is the carrier of this name in a settings file.
func webhook(name, url string) string {
	return "[[carrier]]\nname = \"" + name + "\"\ntype = \"webhook\"\nurl = \"" + url + "\"\nsecret = \"env:SECRET\"\nallow_private = true\n"
}

// withCarriers starts a server with a settings file, which reload replaces.
func withCarriers(t *testing.T, toml string, environ ...string) (r *running, reload func(toml string)) {
	t.Helper()
	dir, path := fresh(t), filepath.Join(t.TempDir(), "countersign.toml")
	write := func(toml string) {
		if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(toml)
	environ = append(environ, "COUNTERSIGN_CONFIG="+path, "SECRET=whsec_"+strings.Repeat("a", 32))
	hangups := make(chan os.Signal, 1)
	r = launchServer(t, &server.Server{
		Config: settings(t, dir, environ...), Notice: notice, Hangups: hangups,
		Reread: func() (config.Config, error) { return settings(t, dir, environ...), nil },
	}).await()
	r.configure()
	return r, func(toml string) {
		t.Helper()
		write(toml)
		hangups <- syscall.SIGHUP
		eventually(t, "the carriers are reloaded", func() bool {
			return strings.Contains(r.log.String(), "carriers and routes reloaded")
		}, r.log.String)
	}
}

// circuit is what the metrics say of the carrier's circuit.
func (r *running) circuit(carrier string) string {
	r.t.Helper()
	line := regexp.MustCompile(`(?m)^countersign_carrier_circuit\{.*` + carrier + `.*$`)
	return line.FindString(r.must(200, "GET", r.admin+"/metrics", ""))
}

// receive waits for what must come.
func receive(t *testing.T, from <-chan string, what string) string {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatalf("it did not come: %s", what)
	}
	return ""
}

// A fallback step counts as a send (L-04).
func TestAFallbackOverTheLimitOnSendsIsUndeliverable(t *testing.T) {
	t.Parallel()
	url, got := gateway(t, always(http.StatusBadRequest))
	events := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e struct {
			Channel string `json:"channel"`
			Status  string `json:"status"`
			Error   struct {
				Code string `json:"code"`
			} `json:"error"`
		}
		err := json.NewDecoder(r.Body).Decode(&e)
		events <- fmt.Sprint(e.Channel, " ", e.Status, " ", e.Error.Code, " ", err)
	}))
	t.Cleanup(hook.Close)
	r, _ := withCarriers(t, webhook("gateway", url), "COUNTERSIGN_SENDS_PER_RECIPIENT=1", "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	r.must(201, "POST", "/2fa/v4/configurations/callbacks", `{"url":"`+hook.URL+`"}`)
	r.send("+4915112345678")
	for _, want := range []string{"SMS UNDELIVERABLE tyntec::sms::400 <nil>", "VOICE UNDELIVERABLE tyntec::routing::404 <nil>"} {
		if e := receive(t, events, want); e != want {
			t.Errorf("the event %q; want %q", e, want)
		}
	}
	if n := len(got); n != 1 {
		t.Errorf("the carrier got %d messages; want the SMS alone", n)
	}
}

func TestACarrierThatWasReplacedStartsWithAClosedCircuit(t *testing.T) {
	t.Parallel()
	wrong, refused := gateway(t, always(http.StatusUnauthorized))
	right, got := gateway(t, always(http.StatusOK))
	r, reload := withCarriers(t, webhook("gateway", wrong))
	r.send("+4915112345678")
	receive(t, refused, "the first message")
	eventually(t, "the circuit opens", func() bool { return strings.HasSuffix(r.circuit("gateway"), " 2") }, r.log.String)

	reload(webhook("gateway", right))
	if line := r.circuit("gateway"); strings.HasSuffix(line, " 2") {
		t.Fatalf("after the reload the metrics say %q; want nothing of the carrier before", line)
	}
	r.send("+4915112345679")
	receive(t, got, "the message after the reload")
}

// A carrier that comes to stand before the one of the first try has not refused
// the message: it was never asked.
func TestAMessageThatWaitsForItsNextTryFollowsTheRoutesOfAReload(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	url, got := gateway(t, func() int { <-released; return http.StatusServiceUnavailable }, always(http.StatusUnauthorized))
	other, arrived := gateway(t, always(http.StatusOK))
	before := webhook("gateway", url)
	r, reload := withCarriers(t, before)
	r.send("+4915112345678")
	receive(t, got, "the first try")
	reload(webhook("new", other) + before + "[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"new\", \"gateway\"]\n")
	close(released)
	receive(t, got, "the second try")
	receive(t, arrived, "the try at the carrier that is new before it")
}
