package twilio_test

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

var update = flag.Bool("update", false, "rewrite the golden requests")

// request is one kind of request that the carrier makes.
type request struct {
	name    string
	channel message.Channel
	words   string
	change  func(*twilio.Config)
	sender  string // what the message asks for
	voice   string
}

const words = "Acme: {code} ist dein Code. Gib ihn nicht weiter & <behalte> ihn."

// requests are all kinds of submits.
func requests() []request {
	return []request{
		{name: "sms", channel: message.SMS, words: words},
		{name: "sms-sender", channel: message.SMS, words: words, sender: "Acme", change: func(c *twilio.Config) { c.Senders = []string{"Acme"} }},
		{name: "sms-service", channel: message.SMS, words: words, sender: "VERIFY", change: func(c *twilio.Config) {
			c.From, c.MessagingServiceSID = "", service
			c.APIKey, c.APISecret = "SK00000000000000000000000000000004", setting.NewSecret("key secret")
		}},
		{name: "sms-options", channel: message.SMS, words: "Ваш код {code}", change: func(c *twilio.Config) {
			c.ContentRetention, c.AddressRetention, c.SmartEncoded, c.RiskCheck = "discard", "obfuscate", true, "disable"
			c.CallbackOverrides = "none"
		}},
		{name: "whatsapp", channel: message.WhatsApp, words: words},
		{name: "whatsapp-text", channel: message.WhatsApp, words: words, sender: "493012345678", change: func(c *twilio.Config) {
			c.Content, c.WhatsAppText, c.Senders = nil, true, []string{"+493012345678"}
		}},
		{name: "call", channel: message.Voice, words: words},
		{name: "call-machine", channel: message.Voice, words: words, change: func(c *twilio.Config) { c.MachineDetection = true }},
		{name: "call-inline", channel: message.Voice, words: words, voice: "female", change: func(c *twilio.Config) { c.InlineVoice = true }},
		{name: "call-inline-ssml", channel: message.Voice, words: words, change: func(c *twilio.Config) {
			c.InlineVoice, c.Voices = true, map[string]string{"de-DE": "Polly.Vicki-Neural"}
		}},
	}
}

// make starts a carrier and submits the request.
func (r request) make(t testing.TB, more func(*twilio.Config, *twilio.Deps)) (started, delivery.Result) {
	t.Helper()
	s := start(t, func(c *twilio.Config, d *twilio.Deps) {
		if r.change != nil {
			r.change(c)
		}
		if more != nil {
			more(c, d)
		}
	})
	m := text(t, r.channel, r.words)
	m.Step.Sender, m.Step.Voice = r.sender, r.voice
	return s, s.submit(t, m)
}

func TestRequestsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	for _, r := range requests() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s, got := r.make(t, nil)
			if got.Class != delivery.Accepted || len(got.Ref) != 34 || got.NoReceipt || got.Receipt != nil {
				t.Errorf("Submit = %+v; want Accepted with a SID", got)
			}
			golden(t, r.name, s.last(t).raw)
			if bytes.Contains([]byte(s.lines()), []byte(code)) {
				t.Errorf("the log holds the code:\n%s", s.lines())
			}
		})
	}
	t.Run("check", func(t *testing.T) {
		t.Parallel()
		s := start(t, nil)
		s.script(answer{status: http.StatusOK, body: `{"status":"active"}`})
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("Check = %v; want nil", err)
		}
		golden(t, "check", s.last(t).raw)
	})
}

// golden compares a request with testdata/golden/NAME.http, which has plain
// line ends.
func golden(t testing.TB, name string, got []byte) {
	t.Helper()
	got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
	file := filepath.Join("testdata", "golden", name+".http")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestNoRequestHasTheCodeInAURL(t *testing.T) {
	t.Parallel()
	for _, r := range requests() {
		s, _ := r.make(t, nil)
		a := s.last(t)
		for _, u := range []string{a.path, a.form.Get("StatusCallback"), a.form.Get("Url")} {
			if strings.Contains(u, code) || strings.Contains(u, recipient[1:]) {
				t.Errorf("%s: %q holds the code or the number", r.name, u)
			}
		}
	}
}

func TestAnswersHaveTheClassOfTheirCodeElseOfTheirStatus(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *twilio.Config, _ *twilio.Deps) {
		c.Errors = map[string]string{"21614": "CONFIG", "29999": "RETRY"}
	})
	wait := http.Header{"Retry-After": {"7"}}
	throttled := refusal(http.StatusTooManyRequests, 20429)
	throttled.header = wait
	for _, c := range []struct {
		name  string
		given answer
		want  delivery.Class
		code  string
		after time.Duration
	}{
		{"bad number", refusal(400, 21211), delivery.Permanent, "21211", 0},
		{"opted out", refusal(400, 21610), delivery.Permanent, "21610", 0},
		{"wrong token", refusal(401, 20003), delivery.Config, "20003", 0},
		{"not found", refusal(404, 20404), delivery.Config, "20404", 0},
		{"bad sender", refusal(400, 21212), delivery.Config, "21212", 0},
		{"queue full", refusal(400, 21611), delivery.Retry, "21611", 0},
		{"throttled", throttled, delivery.Retry, "20429", 7 * time.Second},
		{"replaced class", refusal(400, 21614), delivery.Config, "21614", 0},
		{"class of the operator's own", refusal(400, 29999), delivery.Retry, "29999", 0},
		{"unknown code of 400", refusal(400, 21999), delivery.Permanent, "21999", 0},
		{"unknown code of 403", refusal(403, 21998), delivery.Config, "21998", 0},
		{"trouble of theirs", refusal(500, 20500), delivery.Retry, "20500", 0},
		{"no JSON", answer{status: 503, body: "<html>", header: wait}, delivery.Retry, "503", 7 * time.Second},
		{"a gateway gave up", answer{status: 504, body: "<html>"}, delivery.Uncertain, "504", 0},
		{"a redirect", answer{status: 307, header: http.Header{"Location": {"http://localhost/other"}}}, delivery.Config, "307", 0},
		{"taken without a SID", answer{status: 201, body: `{"status":"queued"}`}, delivery.Uncertain, "answer", 0},
		{"taken in no JSON", answer{status: 200, body: `ok`}, delivery.Uncertain, "answer", 0},
		{"a SID of another kind", answer{status: 201, body: `{"sid":"a\nb"}`}, delivery.Uncertain, "answer", 0},
	} {
		s.script(c.given)
		got := s.submit(t, text(t, message.SMS, "{code}"))
		if got.Class != c.want || got.Failure.Code != c.code || got.After != c.after || got.Failure.Area != delivery.AreaCarrier ||
			(got.Ref == dedupe) != (c.want == delivery.Uncertain) {
			t.Errorf("%s: Submit = %+v; want %v, code %s, after %v", c.name, got, c.want, c.code, c.after)
		}
		if strings.Contains(got.Failure.Text, recipient[1:]) || got.Failure.Text == "" {
			t.Errorf("%s: failure %q; want a sentence without the number", c.name, got.Failure.Text)
		}
	}
	if n := len(s.requests()); n != 18 {
		t.Errorf("%d requests; want 18, none repeated or redirected", n)
	}
}

func TestTheCodesOfTheDocumentationHaveTheClassThatItSays(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/carriers/twilio.md")
	if err != nil {
		t.Fatal(err)
	}
	s, seen := start(t, nil), 0
	for line := range strings.Lines(string(page)) {
		for _, class := range []delivery.Class{delivery.Retry, delivery.Permanent, delivery.Config} {
			codes, ok := strings.CutPrefix(line, "| "+class.String()+" | ")
			if !ok {
				continue
			}
			for _, text := range regexp.MustCompile(`\b[0-9]{5}\b`).FindAllString(codes, -1) {
				code, err := strconv.Atoi(text)
				if err != nil {
					t.Fatal(err)
				}
				s.script(refusal(http.StatusTeapot, code)) // whose own class is Permanent
				if got := s.submit(t, sms(t)); got.Class != class || got.Failure.Code != text {
					t.Errorf("%s: Submit = %+v; want %v", text, got, class)
				}
				seen++
			}
		}
	}
	if seen != 33 {
		t.Errorf("%d codes; want the 33 that are documented", seen)
	}
}

// sms is any SMS.
func sms(t testing.TB) delivery.Message { return text(t, message.SMS, "{code}") }

func TestAMessageThatFailedAtOnceHasItsReceipt(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.script(answer{status: 201, body: `{"sid":"SM1","status":"failed","error_code":30006}`})
	got := s.submit(t, text(t, message.SMS, "{code}"))
	if got.Class != delivery.Accepted || got.Ref != "SM1" || got.Receipt == nil || got.Receipt.State != delivery.ReceiptUndeliverable || got.Receipt.Failure.Code != "30006" {
		t.Errorf("Submit = %+v, receipt %+v; want Accepted and undeliverable with 30006", got, got.Receipt)
	}
}

func TestWithoutAReceiptURLNoReceiptIsPromisedAndNoCallMade(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *twilio.Config, d *twilio.Deps) { d.ReceiptURL = "" })
	got := s.submit(t, text(t, message.SMS, "{code}"))
	if form := s.last(t).form; got.Class != delivery.Accepted || !got.NoReceipt || form.Has("StatusCallback") {
		t.Errorf("Submit = %+v, form %v; want Accepted, no receipt", got, form)
	}
	if got := s.submit(t, text(t, message.Voice, "{code}")); got.Class != delivery.Permanent || got.Failure.Code != "channel" {
		t.Errorf("Submit = %+v; want Permanent, channel", got)
	}
	if want := []message.Channel{message.SMS, message.WhatsApp}; !slices.Equal(s.Channels(), want) {
		t.Errorf("Channels = %v; want %v", s.Channels(), want)
	}
	if len(s.requests()) != 1 {
		t.Errorf("%d requests; want 1", len(s.requests()))
	}
}

func TestSenders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		channel message.Channel
		allowed []string
		wanted  string
		want    string
	}{
		{"none wanted", message.SMS, []string{"*"}, "", "+15005550006"},
		{"not allowed", message.SMS, nil, "Acme", "+15005550006"},
		{"another is allowed", message.SMS, []string{"Other"}, "Acme", "+15005550006"},
		{"allowed", message.SMS, []string{"Acme"}, "Acme", "Acme"},
		{"all are allowed", message.SMS, []string{"*"}, "12345", "12345"},
		{"all are allowed that are any", message.SMS, []string{"*"}, "Acme\r\nX", "+15005550006"},
		{"a number without its plus", message.SMS, []string{"+493012345678"}, "493012345678", "+493012345678"},
		{"a caller is no name", message.Voice, []string{"*"}, "Acme", "+15005550007"},
		{"a caller", message.Voice, []string{"*"}, "+493012345678", "+493012345678"},
		{"a business number", message.WhatsApp, []string{"493012345678"}, "+493012345678", "whatsapp:+493012345678"},
	} {
		s := start(t, func(cfg *twilio.Config, _ *twilio.Deps) { cfg.Senders = c.allowed })
		m := text(t, c.channel, "{code}")
		m.Step.Sender = c.wanted
		s.submit(t, m)
		if got := s.last(t).form.Get("From"); got != c.want {
			t.Errorf("%s: From = %q; want %q", c.name, got, c.want)
		}
	}
}

func TestTheTemplateOnWhatsAppIsByNameAndLanguageThenNameThenAny(t *testing.T) {
	t.Parallel()
	sid := func(n string) string { return "HX" + strings.Repeat(n, 32) }
	s := start(t, func(c *twilio.Config, _ *twilio.Deps) {
		c.Content = map[string]string{"otp/de": sid("1"), "otp": sid("2"), "*": sid("3")}
	})
	for _, c := range [][3]string{{"otp", "de", sid("1")}, {"otp", "en", sid("2")}, {"other", "de", sid("3")}, {"", "", sid("3")}} {
		m := text(t, message.WhatsApp, "{code}")
		m.Step.Template, m.Step.Language = c[0], c[1]
		s.submit(t, m)
		if got := s.last(t).form; got.Get("ContentSid") != c[2] || got.Get("ContentVariables") != `{"1":"`+code+`"}` || got.Has("Body") {
			t.Errorf("template %q in %q: form %v; want %s", c[0], c[1], got, c[2])
		}
	}
	without := start(t, func(c *twilio.Config, _ *twilio.Deps) { c.Content = nil })
	if got := without.submit(t, text(t, message.WhatsApp, "{code}")); got.Class != delivery.Config || !got.Own || got.Failure.Code != "template" || len(without.requests()) != 0 {
		t.Errorf("Submit = %+v; want Config, the message's own, template, and nothing sent", got)
	}
}

func TestWhatNeverWorksIsNotSent(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	address, err := phone.ParseAddress("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*delivery.Message){
		"recipient": func(m *delivery.Message) { m.Recipient = address.Recipient() },
		"expired":   func(m *delivery.Message) { m.Expires = clock() },
		"channel":   func(m *delivery.Message) { m.Step.Channel = message.Viber },
		"length":    func(m *delivery.Message) { m.Step.Text = message.Parse(strings.Repeat("x", 1601), nil) },
	} {
		m := text(t, message.SMS, "{code}")
		change(&m)
		if got := s.submit(t, m); got.Class != delivery.Permanent || got.Failure.Code != name {
			t.Errorf("Submit = %+v; want Permanent, %s", got, name)
		}
	}
	long := text(t, message.Voice, strings.Repeat("{code} ", 200))
	if got := s.submit(t, long); got.Class != delivery.Permanent || got.Failure.Code != "length" {
		t.Errorf("Submit = %+v; want Permanent, length", got)
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests; want none", n)
	}
}

func TestTheValidityIsTheCodesLifeWithinBounds(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for life, want := range map[time.Duration]string{time.Second: "5", 90 * time.Second: "90", 24 * time.Hour: "36000"} {
		m := text(t, message.SMS, "{code}")
		m.Expires = clock().Add(life)
		s.submit(t, m)
		if got := s.last(t).form.Get("ValidityPeriod"); got != want {
			t.Errorf("life %v: ValidityPeriod = %s; want %s", life, got, want)
		}
	}
	for life, want := range map[time.Duration]string{time.Second: "5", 20 * time.Second: "20", time.Hour: "30"} {
		m := text(t, message.Voice, "{code}")
		m.Expires = clock().Add(life)
		s.submit(t, m)
		if got := s.last(t).form.Get("Timeout"); got != want {
			t.Errorf("life %v: Timeout = %s; want %s", life, got, want)
		}
	}
}

func TestACheckReadsTheAccountAndSendsNothing(t *testing.T) {
	t.Parallel()
	active := answer{status: 200, body: `{"status":"active"}`}
	for _, c := range []struct {
		name    string
		key     bool
		answers []answer
		want    string // "" for nil
		asked   int
	}{
		{"all is well", false, []answer{active}, "", 1},
		{"with an API key", true, []answer{active, {status: 200, body: "{}"}}, "", 2},
		{"wrong token", false, []answer{refusal(401, 20003)}, "read the account with auth_token: 401: Account or token is wrong (20003)", 1},
		{"wrong API key", true, []answer{active, refusal(401, 20003)}, "read the account's numbers with api_key: 401: Account or token is wrong (20003)", 2},
		{"suspended", false, []answer{{status: 200, body: `{"status":"suspended"}`}}, `the account is "suspended", not active`, 1},
		{"another server", false, []answer{{status: 200, body: "<html>"}}, "read the account with auth_token: the answer is no JSON; is base_url Twilio's?", 1},
		{"no Twilio at all", false, []answer{{status: 404, body: "<html>"}}, "read the account with auth_token: 404: The carrier answered with HTTP status 404 (404)", 1},
	} {
		s := start(t, func(cfg *twilio.Config, _ *twilio.Deps) {
			if c.key {
				cfg.APIKey, cfg.APISecret = "SK00000000000000000000000000000004", setting.NewSecret("key secret")
			}
		})
		s.script(c.answers...)
		got := ""
		if err := s.Check(t.Context()); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: Check = %q; want %q", c.name, got, c.want)
		}
		all := s.requests()
		for _, a := range all {
			if !strings.HasPrefix(a.path, "GET ") {
				t.Errorf("%s: %s; want reading only", c.name, a.path)
			}
		}
		if len(all) != c.asked || all[0].user != account || all[0].password != token {
			t.Errorf("%s: %d requests, the first by %s; want %d by the account", c.name, len(all), all[0].user, c.asked)
		}
	}
}
