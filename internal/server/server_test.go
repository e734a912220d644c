package server_test

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/server"
	"github.com/countersign/countersign/internal/stolen"
)

func TestACodeIsSentReadAndCheckedOnceAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first := start(t, dir)
	want := regexp.MustCompile(`^listening on http://127\.0\.0\.1:\d+\naccount default\nAPI key otp_live_[A-Za-z0-9_]+\nconsole http://127\.0\.0\.1:\d+/console/enter#[A-Za-z0-9_-]{43}\n$`)
	if !want.MatchString(first.out.String()) {
		t.Fatalf("the first start printed %q", first.out)
	}
	first.configure()
	otp := first.send("+4915112345678")
	code := sixDigits.FindString(first.inbox(otp, 1)[0].Text)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}

	second := start(t, dir)
	if out := second.out.String(); strings.Contains(out, "API key") || !strings.HasPrefix(out, "listening on ") {
		t.Errorf("the second start printed %q; want no key", out)
	}
	second.key = first.key
	for _, want := range []string{`{"otpStatus":"VERIFIED"}`, `{"otpStatus":"ALREADY_REPORTED"}`} {
		if got := second.validate(otp, code); got != want {
			t.Errorf("validate = %s; want %s", got, want)
		}
	}
}

func TestAFailedSMSFallsBackToACall(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.configure()
	otp := r.send("+4915112340001")
	messages := r.inbox(otp, 2)
	if messages[0].Channel != "VOICE" || messages[1].Channel != "SMS" {
		t.Errorf("messages by %s then %s; want SMS then VOICE", messages[1].Channel, messages[0].Channel)
	}
	// A call spells the code.
	code := strings.ReplaceAll(regexp.MustCompile(`\d(, \d){5}`).FindString(messages[0].Text), ", ", "")
	if got := r.validate(otp, code); got != `{"otpStatus":"VERIFIED"}` {
		t.Errorf("the code of the call: %s", got)
	}
}

func TestADrainingServerIsUnreadyAliveAndFinishesWhatItHas(t *testing.T) {
	t.Parallel()
	r := launch(t, fresh(t), 3*time.Second).await() // long enough to send something meanwhile
	r.configure()
	r.must(200, "GET", "/readyz", "")
	r.cancel()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if status, _ := r.call("GET", "/readyz", ""); status == 503 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("/readyz stayed 200")
		}
	}
	r.must(200, "GET", "/livez", "")
	r.send("+4915112345678") // it still accepts: whoever spreads requests may not have noticed yet
	draining := stolen.Start(t).Begin()
	if err := r.stop(); err != nil {
		t.Errorf("the drain ended with %v", err)
	}
	if draining.Exceeds(15 * time.Second) {
		t.Errorf("the drain took %s; want at most 15 s", draining.Own())
	}
}

func TestAForeignPathAndAnEncodedSlashReachTheFacadeAsTheyCame(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	for path, want := range map[string]string{
		"/2fa/v4/nothing":                   `"title":"Not Found"`,
		"/2fa/v4//otp":                      `"title":"Not Found"`,
		"/2fa/v4/otp/":                      `[]`, // one slash at the end means the same path
		"/2fa/v4":                           `"title":"Not Found"`,
		"/2fa/v4/profiles/..%2F..%2Fsecret": `"resourceId":"../../secret"`,
	} {
		if _, body := r.call("GET", path, ""); !strings.Contains(body, want) {
			t.Errorf("GET %s = %s; want %s", path, body, want)
		}
	}
	if status, _ := r.call("GET", "/2fa/v41/otp", ""); status != 404 {
		t.Errorf("a path beside the facade = %d; want 404", status)
	}
}

func TestHeadersOverSixteenKiBAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	for _, c := range []struct{ size, host, want int }{{15 << 10, 0, 200}, {17 << 10, 0, 431}, {0, 15 << 10, 200}, {0, 17 << 10, 431}, {9 << 10, 9 << 10, 431}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/livez", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Long", strings.Repeat("x", c.size))
		req.Host = strings.Repeat("h", c.host) // "" for that of the URL
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("a header of %d bytes and a Host of %d = %d; want %d", c.size, c.host, resp.StatusCode, c.want)
		}
	}
}

func TestARequestLineMayHoldTheLongestText(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.must(200, "POST", "/2fa/v1/application/default/language?language=en&text={{OTP}}"+strings.Repeat("%F0%9F%98%80", 1600-len("{{OTP}}")), "")
	r.must(431, "POST", "/2fa/v1/application/default/language?language=en&text={{OTP}}"+strings.Repeat("x", 40<<10), "")
}

func TestABodyOver64KiBIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.must(413, "POST", "/2fa/v4/otp", `{"to":"`+strings.Repeat("1", 64<<10)+`"}`)
}

func TestWithoutASandboxItsPathIsAbsentAndNothingIsDelivered(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t), "COUNTERSIGN_SANDBOX=off")
	r.configure()
	r.must(404, "GET", "/sandbox/messages", "")
	r.send("+4915112345678") // accepted; UNDELIVERABLE follows as an event
}

func TestTheOpenAPIFileAndPagesAreServedWithoutAKey(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.key = ""
	file, err := os.ReadFile("../../api/v4.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.must(200, "GET", "/openapi/v4.yaml", ""); got != string(file) {
		t.Error("/openapi/v4.yaml is not the file")
	}
	r.must(200, "GET", "/openapi/", "")
	r.must(401, "GET", "/sandbox/messages", "")
	r.must(401, "GET", "/2fa/v4/otp", "")
}

func TestARefusedCallbackSaysWhetherItsSchemeOrItsAddressIsWrong(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t), "COUNTERSIGN_CALLBACK_REQUIRE_HTTPS=true")
	for url, want := range map[string]string{
		"http://client.example.com/": "must be an https URL",
		"https://10.0.0.1/":          "must not point to an address that callbacks may not reach",
	} {
		if got := r.must(400, "POST", "/2fa/v4/configurations/callbacks", `{"url":"`+url+`"}`); !strings.Contains(got, want) {
			t.Errorf("%s is refused with %s; want %q", url, got, want)
		}
	}
}

func TestAPortThatIsTakenIsAnErrorAndMakesNoKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &server.Server{
		Config: settings(t, dir, "COUNTERSIGN_LISTEN="+taken.Addr().String()), Log: slog.New(slog.DiscardHandler),
	}
	err = s.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "setting listen, from environment variable COUNTERSIGN_LISTEN") {
		t.Errorf("Run = %v; want that the port of listen is taken", err)
	}
	if _, is := errors.AsType[*server.RefusalError](err); is {
		t.Errorf("%v is a refusal; want a failure that may pass", err)
	}
	if r := start(t, dir); r.key == "" {
		t.Error("the start that failed used up the first key")
	}
}

func TestAnAddressThatIsNotThisMachinesIsRefusedAndItsSettingNamed(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"192.0.2.1:0", "no..name:0"} {
		for setting, environ := range map[string][]string{
			"listen":       {"COUNTERSIGN_LISTEN=" + address, "COUNTERSIGN_ALLOW_PLAIN_HTTP=true"},
			"admin_listen": {"COUNTERSIGN_ADMIN_LISTEN=" + address},
		} {
			s := &server.Server{Config: settings(t, fresh(t), environ...), Log: slog.New(slog.DiscardHandler)}
			refused(t, s.Run(t.Context()), "setting "+setting+", from environment variable COUNTERSIGN_"+strings.ToUpper(setting)+": ")
		}
	}
}

func TestTwoServersOnOneDatabaseMakeOneAccountAndBothServe(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	servers := []*running{launch(t, dir, notice), launch(t, dir, notice)}
	for _, r := range servers {
		r.await()
	}
	key := servers[0].key + servers[1].key
	if strings.Count(key, "otp_live_") != 1 {
		t.Fatalf("%d keys were printed; want one", strings.Count(key, "otp_live_"))
	}
	servers[0].key, servers[1].key = key, key
	servers[0].configure()
	for i, r := range servers {
		otp := r.send("+4915112345678")
		code := sixDigits.FindString(servers[1-i].inbox(otp, 1)[0].Text)
		if got := servers[1-i].validate(otp, code); got != `{"otpStatus":"VERIFIED"}` {
			t.Errorf("sent by %d, checked by %d: %s", i, 1-i, got)
		}
		if n := len(r.inbox(otp, 1)); n != 1 {
			t.Errorf("sent by %d: %d messages; want 1", i, n)
		}
	}
}
