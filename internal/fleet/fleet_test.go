package fleet_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// settings reads a file as a server does; sandbox is its setting.
func settings(t *testing.T, toml, sandbox string, environ ...string) (fleet.Settings, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countersign.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Sources{File: path, Environ: append([]string{"COUNTERSIGN_SANDBOX=" + sandbox}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Settings{Carriers: c.Carriers, Routes: c.Routes, Sandbox: c.Sandbox}, path
}

// box stands for the sandbox's carrier.
type box struct{}

func (box) Name() string  { return "sandbox" }
func (box) Dedupes() bool { return true }

func (box) Submit(context.Context, delivery.Message) delivery.Result {
	return delivery.Result{Class: delivery.Accepted}
}

func deps() fleet.Deps {
	return fleet.Deps{
		Receive: func(context.Context, delivery.Receipt) (bool, error) { return true, nil },
		Log:     slog.New(slog.DiscardHandler), Now: time.Now, Sandbox: box{},
		Tokens:    func(carrier string) []string { return []string{"new-" + carrier, "old-" + carrier} },
		PublicURL: &url.URL{Scheme: "https", Host: "otp.example.com", Path: "/base"},
	}
}

func smppTOML(name string, more ...string) string {
	return "[[carrier]]\nname = \"" + name + "\"\ntype = \"smpp\"\nhost = \"127.0.0.1\"\nport = 1\nsystem_id = \"acme\"\npassword = \"env:PASS\"\n" + strings.Join(more, "\n") + "\n"
}

func webhookTOML(at string) string {
	return "[[carrier]]\nname = \"w\"\ntype = \"webhook\"\nurl = \"" + at + "\"\nsecret = \"env:SECRET\"\nallow_private = true\n"
}

func environ() []string {
	return []string{"PASS=secret", "SECRET=whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))}
}

func route(channels, carriers string) string {
	return "[[route]]\nchannels = [" + channels + "]\ncarriers = [" + carriers + "]\n"
}

func number(t *testing.T) phone.Recipient {
	t.Helper()
	n, err := phone.FromE164("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	return n.Recipient()
}

func carriers(f *fleet.Fleet, t *testing.T, c message.Channel) string {
	t.Helper()
	var names []string
	for _, one := range f.Router().Route(c, number(t), "") {
		names = append(names, one.Name())
	}
	return strings.Join(names, " ")
}

func TestWhatIsWrongIsNamedWithFileAndLine(t *testing.T) {
	t.Parallel()
	const sandboxTOML = "[[carrier]]\nname = \"sandbox\"\ntype = \"sandbox\"\n"
	for _, c := range []struct{ toml, sandbox, want string }{
		{"[[carrier]]\nname = \"a\"\ntype = \"pigeon\"\n", "auto", `:3: carrier "a": type: "pigeon" is no type of carrier; expected kannel, meta, request, sandbox, smpp, twilio, webhook`},
		{smppTOML("a", `pasword = "x"`), "auto", `:8: carrier "a": unknown key "pasword"`},
		{strings.Replace(smppTOML("a"), "port = 1", "port = 99999", 1), "auto", `:5: carrier "a": port: is 99999; use 1 to 65535`},
		{strings.Replace(smppTOML("a"), "port = 1", "port = 0", 1), "auto", `:5: carrier "a": port: is 0; expected 1 or more`},
		{smppTOML("a", "binds = 0"), "auto", `:8: carrier "a": binds: is 0; expected 1 or more`},
		{smppTOML("a", "window = 0"), "auto", `:8: carrier "a": window: is 0; expected 1 or more`},
		{webhookTOML("http://127.0.0.1:1/") + "timeout = \"0s\"\n", "auto", `:7: carrier "w": timeout: is "0s"; expected a duration`},
		{strings.Replace(smppTOML("a"), "env:PASS", "env:NOPE", 1), "auto", `:7: carrier "a": password: the environment variable NOPE is not set`},
		{strings.Replace(smppTOML("a"), "host = \"127.0.0.1\"\n", "", 1), "auto", `:1: carrier "a": host: is missing`},
		{smppTOML("sandbox"), "auto", `:2: carrier "sandbox": name: "sandbox" is the sandbox's own`},
		{smppTOML("a") + route(`"SMS"`, `"b"`), "auto", `:9: route: carriers: there is no carrier "b"`},
		{smppTOML("a") + route(`"SMS", "VOICE"`, `"a"`), "auto", `:9: route: carriers: carrier "a" does not carry VOICE as it is configured; it carries SMS`},
		{smppTOML("a") + route(`"VOICE"`, `"sandbox"`), "auto", `:9: route: carriers: the sandbox does not serve here`},
		{smppTOML("a") + sandboxTOML, "auto", `:11: carrier "sandbox": type: the sandbox serves beside real carriers only with sandbox = "on"`},
		{sandboxTOML, "off", `:3: carrier "sandbox": type: the sandbox is off`},
		{"[[carrier]]\nname = \"play\"\ntype = \"sandbox\"\n", "on", `:2: carrier "play": name: expected "sandbox"`},
		{sandboxTOML + "rate = 1\n", "on", `:4: carrier "sandbox": unknown key "rate"`},
	} {
		s, path := settings(t, c.toml, c.sandbox, environ()...)
		_, err := fleet.New(s, deps())
		if _, ok := errors.AsType[*config.FileError](err); !ok || !strings.Contains(err.Error(), path+c.want) {
			t.Errorf("%s\ngives %v\nwant %s", c.toml, err, c.want)
		}
	}
}

func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := settings(t, smppTOML("a", "x = 1")+smppTOML("b", "y = 1"), "auto", environ()...)
	_, err := fleet.New(s, deps())
	if err == nil || !strings.Contains(err.Error(), `unknown key "x"`) || !strings.Contains(err.Error(), `unknown key "y"`) {
		t.Errorf("New = %v; want both keys", err)
	}
}

func TestWhoServesWhatFollowsFromRoutesAndTheSandboxSetting(t *testing.T) {
	t.Parallel()
	two := smppTOML("a") + webhookTOML("http://127.0.0.1:1/")
	for _, c := range []struct {
		name, toml, sandbox string
		want                map[message.Channel]string
		serves              bool
	}{
		{"nothing is configured", "", "auto", map[message.Channel]string{message.SMS: "sandbox", message.Email: "sandbox"}, true},
		{"nothing is configured and the sandbox is off", "", "off", map[message.Channel]string{message.SMS: ""}, false},
		{"no routes", two, "auto", map[message.Channel]string{message.SMS: "a w", message.Voice: "w"}, false},
		{"no routes, and the sandbox beside", smppTOML("a"), "on", map[message.Channel]string{message.SMS: "a", message.Voice: "sandbox"}, true},
		{"routes", two + route(`"SMS"`, `"w", "a"`), "auto", map[message.Channel]string{message.SMS: "w a", message.Voice: ""}, false},
		{"routes, and the sandbox beside", two + route(`"SMS"`, `"a"`), "on", map[message.Channel]string{message.SMS: "a", message.Voice: "sandbox"}, true},
		{
			"a route that does not fit is not made up for by the sandbox", smppTOML("a") + route(`"SMS"`, `"a"`) + "prefix = \"+43\"\n", "on",
			map[message.Channel]string{message.SMS: "", message.Voice: "sandbox"},
			true,
		},
		{
			"a route to the sandbox", smppTOML("a") + "[[carrier]]\nname = \"sandbox\"\ntype = \"sandbox\"\n" + route(`"SMS"`, `"a"`) + route(`"VOICE"`, `"sandbox"`), "on",
			map[message.Channel]string{message.SMS: "a", message.Voice: "sandbox", message.Viber: "sandbox"},
			true,
		},
	} {
		s, _ := settings(t, c.toml, c.sandbox, environ()...)
		f, err := fleet.New(s, deps())
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for channel, want := range c.want {
			if got := carriers(f, t, channel); got != want {
				t.Errorf("%s: %s goes to %q; want %q", c.name, channel, got, want)
			}
		}
		if f.Serves() != c.serves {
			t.Errorf("%s: the sandbox serves: %t; want %t", c.name, f.Serves(), c.serves)
		}
	}
}

// seen is an observer that remembers.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) note(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, strings.Join(words, " "))
}

func (s *seen) ReceiptRefused(carrier, reason string) { s.note("refused", carrier, reason) }
func (s *seen) Noticed(carrier, notice string)        { s.note("noticed", carrier, notice) }
func (s *seen) Bound(string, string, bool)            {}
func (s *seen) Gone(carrier, link string)             { s.note("gone", carrier, link) }

func (s *seen) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	return s.all[len(s.all)-1]
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// taken returns what was told since it was asked last.
func (s *seen) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

func TestReceiptsNeedTheCarriersTokenBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	s, _ := settings(t, webhookTOML("http://127.0.0.1:1/")+smppTOML("a"), "auto", environ()...)
	d, told := deps(), &seen{}
	d.Observer = told
	d.Receive = func(context.Context, delivery.Receipt) (bool, error) {
		t.Error("a receipt went through")
		return false, nil
	}
	f, err := fleet.New(s, d)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(fleet.ReceiptPattern, f.Receipts())
	var absent string
	for _, c := range []struct {
		path, body string
		status     int
		told       string
	}{
		{"/carriers/nobody/receipts/new-w", "{}", 404, "refused  token"},
		{"/carriers/w/receipts/wrong", "{}", 404, "refused  token"},
		{"/carriers/w/receipts/new-a", "{}", 404, "refused  token"},
		{"/carriers/a/receipts/new-a", "{}", 404, "refused  token"}, // SMPP has no receipts by HTTP
		{"/carriers/w/receipts/new-w", "{}", 401, "refused w forged"},
		{"/carriers/w/receipts/old-w", "{}", 401, "refused w forged"},
		{"/carriers/w/receipts/new-w", strings.Repeat(" ", 256<<10+1), 400, "refused w malformed"},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || told.last() != c.told {
			t.Errorf("%s with %d bytes = %d, %q; want %d, %q", c.path, len(c.body), w.Code, told.last(), c.status, c.told)
		}
		if c.status != 404 {
			continue
		}
		if absent == "" {
			absent = w.Body.String()
		}
		if w.Body.String() != absent {
			t.Errorf("%s says %q; want what all others say", c.path, w.Body)
		}
	}
}

// hanging is a receiver of messages that answers once it is let go.
func hanging(t *testing.T) (at string, got <-chan string, letGo func()) {
	t.Helper()
	arrived, release := make(chan string, 10), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- r.Header.Get("Idempotency-Key")
		<-release
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(s.Close)
	return s.URL, arrived, sync.OnceFunc(func() { close(release) })
}

func text(t *testing.T, dedupe string) delivery.Message {
	t.Helper()
	return delivery.Message{
		Dedupe: dedupe, Recipient: number(t), Code: otp.NewCode("123456"), Expires: time.Now().Add(time.Minute), Try: 1,
		Step: delivery.Step{Channel: message.SMS, Text: message.Parse("{code}", []message.Placeholder{{Token: "{code}", Code: true}})},
	}
}

func TestAReloadWaitsForWhatAReplacedCarrierHasInHandAndSendsNothingNewThere(t *testing.T) {
	t.Parallel()
	first, firstGot, letFirstGo := hanging(t)
	second, secondGot, letSecondGo := hanging(t)
	letSecondGo()
	defer letFirstGo()
	s, _ := settings(t, webhookTOML(first)+smppTOML("a")+smppTOML("gone"), "auto", environ()...)
	d, told := deps(), &seen{}
	d.Observer = told
	var mu sync.Mutex
	var renewed []string
	d.Renewed = func(carrier string) { mu.Lock(); defer mu.Unlock(); renewed = append(renewed, carrier) }
	f, err := fleet.New(s, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Reload(t.Context(), s); !errors.Is(err, fleet.ErrEnding) {
		t.Errorf("Reload before Run = %v; want ErrEnding", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()

	old := f.Router().Route(message.SMS, number(t), "")[0]
	result := make(chan delivery.Result, 1)
	go func() { result <- old.Submit(t.Context(), text(t, "one")) }()
	<-firstGot

	after, _ := settings(t, smppTOML("a")+webhookTOML(second)+smppTOML("new")+route(`"SMS"`, `"w"`), "auto", environ()...)
	change, err := reloaded(t, f, after)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(change.Kept, []string{"a"}) || !slices.Equal(change.Replaced, []string{"w"}) || !slices.Equal(change.Added, []string{"new"}) || !slices.Equal(change.Removed, []string{"gone"}) {
		t.Errorf("Reload = %+v; want a kept, w replaced, new added, gone removed", change)
	}
	mu.Lock()
	if !slices.Equal(renewed, []string{"w", "gone"}) {
		t.Errorf("renewed = %v; want w and gone", renewed)
	}
	mu.Unlock()
	now := f.Router().Route(message.SMS, number(t), "")
	if len(now) != 1 || now[0] == old {
		t.Fatalf("the route is %v; want the new carrier alone", now)
	}
	if r := now[0].Submit(t.Context(), text(t, "two")); r.Class != delivery.Accepted {
		t.Errorf("Submit to the new one = %+v; want Accepted", r)
	}
	if got := <-secondGot; got != "two" {
		t.Errorf("the new one got %q; want two", got)
	}
	letFirstGo()
	if r := <-result; r.Class != delivery.Accepted {
		t.Errorf("what the old one had in hand ended as %+v; want Accepted", r)
	}
	for deadline := time.Now().Add(patience); told.last() != "gone gone 1 bind_transceiver"; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the last that was told is %q; want that the link of the removed one is gone", told.last())
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// reloaded reloads once Run has begun.
func reloaded(t *testing.T, f *fleet.Fleet, s fleet.Settings) (fleet.Change, error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c, err := f.Reload(t.Context(), s)
		if !errors.Is(err, fleet.ErrEnding) || time.Now().After(deadline) {
			return c, err
		}
	}
}

func TestAReloadThatIsWrongChangesNothing(t *testing.T) {
	t.Parallel()
	s, _ := settings(t, smppTOML("a"), "auto", environ()...)
	f, err := fleet.New(s, deps())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	before := f.Router().Route(message.SMS, number(t), "")[0]
	for _, toml := range []string{smppTOML("b", "x = 1"), smppTOML("a") + route(`"SMS"`, `"c"`), strings.Replace(smppTOML("a"), "PASS", "NOPE", 1)} {
		wrong, _ := settings(t, toml, "auto", environ()...)
		if _, err := reloaded(t, f, wrong); err == nil {
			t.Errorf("%s\nis taken; want an error", toml)
		}
		if now := f.Router().Route(message.SMS, number(t), ""); len(now) != 1 || now[0] != before {
			t.Errorf("the route is %v; want what it was", now)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestWorkEndsBeforeTheCarriersDo(t *testing.T) {
	t.Parallel()
	at, got, letGo := hanging(t)
	s, _ := settings(t, webhookTOML(at), "auto", environ()...)
	f, err := fleet.New(s, deps())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = f.Serve(ctx, func(ctx context.Context) error {
		result := make(chan delivery.Result, 1)
		go func() {
			result <- f.Router().Route(message.SMS, number(t), "")[0].Submit(context.WithoutCancel(ctx), text(t, "one"))
		}()
		<-got
		cancel() // the server ends
		<-ctx.Done()
		letGo()
		if r := <-result; r.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted, as the carrier outlives the dispatcher", r)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestACheckTellsWhatIsThereAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	s, _ := settings(t, smppTOML("a"), "auto", environ()...)
	f, err := fleet.New(s, deps())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Check(t.Context(), "b"); !errors.Is(err, fleet.ErrNoCarrier) {
		t.Errorf("Check(b) = %v; want ErrNoCarrier", err)
	}
	if err := f.Check(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("Check(a) = %v; want where it could not connect to", err)
	}
	all := f.States()
	if len(all) != 1 || all[0].Name != "a" || all[0].Type != "smpp" || !slices.Equal(all[0].Channels, []message.Channel{message.SMS}) || len(all[0].Links) != 1 || all[0].Links[0].Up {
		t.Errorf("States = %+v; want a, down", all)
	}
}
