package webhook_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// epoch is the time of golden requests.
var epoch = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func TestRequestsAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	mail, err := phone.ParseAddress("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*webhook.Config, *webhook.Deps, *delivery.Message){
		"sms": func(*webhook.Config, *webhook.Deps, *delivery.Message) {},
		"sms-all": func(c *webhook.Config, _ *webhook.Deps, m *delivery.Message) {
			c.IncludeCode = true
			c.PreviousSecret = setting.NewSecret(secretOf(2))
			c.Metadata = map[string]string{"dlt_entity_id": "1101", "campaign": "C1"}
			c.Headers = map[string]setting.Secret{"X-Api-Key": setting.NewSecret("k1")}
			c.Username, c.Password = "ada", setting.NewSecret("p1")
			m.Step.Text = message.Parse("Привет {code} <&>", []message.Placeholder{{Token: "{code}", Code: true}})
			m.Try = 3
		},
		"voice": func(c *webhook.Config, d *webhook.Deps, m *delivery.Message) {
			c.Bearer = setting.NewSecret("b1")
			d.ReceiptURL = ""
			m.Step.Channel, m.Step.Voice, m.Step.Sender = message.Voice, "female", ""
		},
		"whatsapp": func(c *webhook.Config, _ *webhook.Deps, m *delivery.Message) {
			c.IncludeCode = true
			m.Step.Channel, m.Step.Template, m.Step.AccountRef = message.WhatsApp, "login", "waba1"
		},
		"viber": func(_ *webhook.Config, _ *webhook.Deps, m *delivery.Message) { m.Step.Channel = message.Viber },
		"email": func(_ *webhook.Config, _ *webhook.Deps, m *delivery.Message) {
			m.Step.Channel, m.Recipient = message.Email, mail.Recipient()
		},
	} {
		var got bytes.Buffer
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			for i, fill := range []byte{1, 2} {
				w, err := standardwebhooks.NewWebhook(secretOf(fill))
				if err != nil {
					t.Error(err)
				} else if err := w.VerifyIgnoringTimestamp(body, r.Header); err != nil && (i == 0 || name == "sms-all") {
					t.Errorf("%s: secret %d: %v", name, i, err)
				}
			}
			r.Host = "receiver.example"
			r.Body = io.NopCloser(bytes.NewReader(body))
			if err := r.Write(&got); err != nil {
				t.Error(err)
			}
		}))
		cfg := config(s.URL + "/send?team=otp")
		d := webhook.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: func() time.Time { return epoch }, ReceiptURL: receiptURL, Version: "1.2.3"}
		m := text(t, message.SMS, "Dein Code ist {code}.")
		m.Expires = epoch.Add(5 * time.Minute)
		change(&cfg, &d, &m)
		c, err := webhook.New(cfg, d)
		if err != nil {
			t.Fatal(err)
		}
		stop := carriertest.Start(t, c)
		if r := c.Submit(t.Context(), m); r.Class != delivery.Accepted || r.Ref != dedupe || r.NoReceipt != (d.ReceiptURL == "") || r.ByID == r.NoReceipt {
			t.Errorf("%s: Submit = %+v; want Accepted", name, r)
		}
		stop()
		s.Close()
		golden(t, filepath.Join("testdata", name+".http"), strings.ReplaceAll(got.String(), "\r\n", "\n")+"\n")
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestAnswersHaveClasses(t *testing.T) {
	t.Parallel()
	accepted := delivery.Result{Class: delivery.Accepted, Ref: dedupe, ByID: true}
	because := func(class delivery.Class, code string) delivery.Result {
		return delivery.Result{Class: class, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: code}}
	}
	with := func(r delivery.Result, change func(*delivery.Result)) delivery.Result {
		change(&r)
		return r
	}
	after := func(d time.Duration) func(*delivery.Result) { return func(r *delivery.Result) { r.After = d } }
	ref := func(s string) func(*delivery.Result) { return func(r *delivery.Result) { r.Ref = s } }
	for name, c := range map[string]struct {
		status int
		body   string
		want   delivery.Result
	}{
		"empty 200":                   {200, ``, accepted},
		"204":                         {204, ``, accepted},
		"text":                        {200, `OK`, accepted},
		"cut JSON":                    {202, `{"ref":"r`, accepted},
		"ref":                         {202, `{"ref":"r1","status":"DISPATCHED"}`, with(accepted, ref("r1"))},
		"ref is a number":             {202, `{"ref":1234567890123456789}`, with(accepted, ref("1234567890123456789"))},
		"ref is an object":            {202, `{"ref":{"a":1}}`, accepted},
		"ref too long":                {202, `{"ref":"` + strings.Repeat("x", 256) + `"}`, accepted},
		"unknown status":              {200, `{"status":"SENT"}`, accepted},
		"delivered":                   {200, `{"status":"DELIVERED"}`, with(accepted, func(r *delivery.Result) { r.Receipt = &delivery.Receipt{State: delivery.ReceiptDelivered} })},
		"undeliverable":               {200, `{"status":"UNDELIVERABLE","reason":"no-such-user"}`, because(delivery.Permanent, "no-such-user")},
		"undeliverable, no reason":    {200, `{"status":"UNDELIVERABLE"}`, because(delivery.Permanent, "UNDELIVERABLE")},
		"undeliverable, other class":  {200, `{"status":"UNDELIVERABLE","class":"to \u0000 ` + number + `"}`, because(delivery.Permanent, "UNDELIVERABLE")},
		"has it already":              {409, ``, accepted},
		"has it already as r1":        {409, `{"ref":"r1"}`, with(accepted, ref("r1"))},
		"class retry":                 {200, `{"class":"RETRY","reason":"busy"}`, with(because(delivery.Retry, "busy"), after(7*time.Second))},
		"class config beats 400":      {400, `{"class":"CONFIG"}`, because(delivery.Config, "400")},
		"class permanent beats 503":   {503, `{"class":"PERMANENT","reason":"4711"}`, because(delivery.Permanent, "4711")},
		"class retry beats 502":       {502, `{"class":"RETRY"}`, with(because(delivery.Retry, "502"), after(7*time.Second))},
		"unknown class":               {400, `{"class":"ACCEPTED"}`, because(delivery.Permanent, "400")},
		"reason is a sentence":        {422, `{"reason":"cannot reach him"}`, because(delivery.Permanent, "422")},
		"reason quotes the code":      {422, `{"reason":"bad-` + code + `"}`, because(delivery.Permanent, "422")},
		"reason quotes the number":    {422, `{"reason":"to.` + number[1:] + `"}`, because(delivery.Permanent, "422")},
		"throttled":                   {429, ``, with(because(delivery.Retry, "429"), after(7*time.Second))},
		"proxy lost it":               {504, ``, with(because(delivery.Uncertain, "504"), ref(dedupe))},
		"redirect":                    {307, ``, because(delivery.Config, "307")},
		"credentials":                 {401, `[]`, because(delivery.Config, "401")},
		"a body of 1 MB":              {200, strings.Repeat("[", 1<<20), accepted},
		"a field of the wrong type":   {200, `{"status":[7],"ref":"r1"}`, with(accepted, ref("r1"))},
		"reason is a number":          {200, `{"class":"PERMANENT","reason":4711}`, because(delivery.Permanent, "4711")},
		"reason is an object":         {200, `{"class":"RETRY","reason":{"code":7}}`, with(because(delivery.Retry, "RETRY"), after(7*time.Second))},
		"a class of the wrong letter": {200, `{"class":"retry"}`, accepted},
	} {
		r := open(t, answers(c.status, c.body, "Retry-After", "7"), nil).Submit(t.Context(), text(t, message.SMS, "{code}"))
		if (r.Failure.Text == "") != (r.Class == delivery.Accepted) {
			t.Errorf("%s: Submit = %+v; a text goes with a failure", name, r)
		}
		r.Failure.Text = ""
		if diff := cmp.Diff(c.want, r); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatCannotBeSentIsNotSent(t *testing.T) {
	t.Parallel()
	never := func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }
	late := text(t, message.SMS, "{code}")
	late.Expires = time.Now()
	if r := open(t, never, nil).Submit(t.Context(), late); r.Class != delivery.Permanent || r.Failure.Code != "expired" {
		t.Errorf("Submit after the code's end = %+v; want Permanent, expired", r)
	}
	sms := open(t, never, func(c *webhook.Config, _ *webhook.Deps) { c.Channels = []message.Channel{message.Viber} })
	if r := sms.Submit(t.Context(), text(t, message.SMS, "{code}")); r.Class != delivery.Config || r.Failure.Code != "channel" {
		t.Errorf("Submit on another channel = %+v; want Config, channel", r)
	}
}

func TestAddressesAreGuardedWhenTheyAreResolved(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	t.Cleanup(s.Close)
	cfg := config(strings.Replace(s.URL, "127.0.0.1", "localhost", 1))
	cfg.AllowPrivate = false
	c, err := webhook.New(cfg, webhook.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	carriertest.Start(t, c)
	if r := c.Submit(t.Context(), text(t, message.SMS, "{code}")); r.Class != delivery.Config || r.Failure.Code != "address" {
		t.Errorf("Submit = %+v; want Config, address", r)
	}
}

func TestACheckPostsNoMessage(t *testing.T) {
	t.Parallel()
	var body string
	c := open(t, func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w, err := standardwebhooks.NewWebhook(secretOf(1))
		if err != nil {
			t.Error(err)
		} else if err := w.Verify(b, r.Header); err != nil || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("headers %v: %v", r.Header, err)
		}
		body = string(b)
	}, nil)
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	if !strings.HasPrefix(body, `{"id":"check_`) || !strings.HasSuffix(body, `","type":"carrier.check"}`) {
		t.Errorf("body %s; want id and type only", body)
	}
	err := open(t, answers(http.StatusForbidden, ""), nil).Check(t.Context())
	if want := "the receiver answered with HTTP status 403"; err == nil || err.Error() != want {
		t.Errorf("Check = %v; want %s", err, want)
	}
	gone := open(t, answers(http.StatusOK, ""), func(c *webhook.Config, _ *webhook.Deps) { c.URL = "http://127.0.0.1:1/secret-path" })
	if err := gone.Check(t.Context()); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("Check = %v; want an error without the URL", err)
	}
}
