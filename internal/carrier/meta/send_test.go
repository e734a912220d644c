package meta_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestEveryErrorCodeHasItsClass(t *testing.T) {
	t.Parallel()
	cfg := func(g *graph) meta.Config {
		c := config(g)
		c.Errors = map[string]string{"131042": "RETRY", "777": "CONFIG", "130429": "PERMANENT"}
		return c
	}
	for class, codes := range map[delivery.Class][]int{
		delivery.Retry:     {1, 2, 4, 17, 80007, 131000, 131016, 131056, 131057, 133004, 131042},
		delivery.Permanent: {131026, 131021, 130497, 131049, 131050, 130472, 131051, 654321, 130429},
		delivery.Config: {
			0, 3, 10, 190, 200, 219, 33, 100, 131008, 131009, 368, 131031, 131037, 131045, 133010, 131048, 132000, 132001, 132005,
			132007, 132012, 132015, 132016, 134011, 777,
		},
	} {
		g := newGraph(t)
		for _, code := range codes {
			c := open(t, cfg(g), newDesk().deps()) // each with nothing to remember
			g.answer(refusal(http.StatusBadRequest, code, 0))
			r := c.Submit(t.Context(), text(t))
			if r.Class != class || r.Failure.Code != strconv.Itoa(code) || r.Failure.Area != delivery.AreaCarrier {
				t.Errorf("%d gave %+v; want %v", code, r, class)
			}
			if strings.Contains(r.Failure.Text, "483916") || strings.Contains(r.Failure.Text, "1712345678") {
				t.Errorf("%d gave %+v; it repeats what WhatsApp wrote", code, r)
			}
		}
	}
}

func TestAnswersWithoutAKnownCodeAreJudgedByTheirStatus(t *testing.T) {
	t.Parallel()
	g := newGraph(t)
	c := open(t, config(g), newDesk().deps())
	later := http.Header{"Retry-After": {"7"}}
	for _, s := range []struct {
		name string
		reply
		class delivery.Class
		after time.Duration
		code  string
	}{
		{"transient", reply{status: 400, body: `{"error":{"code":100,"is_transient":true}}`}, delivery.Retry, 0, "100"},
		{"a server error of the API", reply{status: 502, body: `{"error":{"code":5555}}`}, delivery.Retry, 0, "5555"},
		{"a code that is older", reply{status: 403, body: `{"error":{"code":5555}}`}, delivery.Config, 0, "5555"},
		{"an error with 200", reply{status: 200, body: `{"error":{"code":5555}}`}, delivery.Permanent, 0, "5555"},
		{"a proxy", reply{status: 502, body: `<html>`}, delivery.Uncertain, 0, "502"},
		{"too many", reply{status: 429, header: later, body: ``}, delivery.Retry, 7 * time.Second, "429"},
		{"too many, with a code", reply{status: 429, header: later, body: `{"error":{"code":4}}`}, delivery.Retry, 7 * time.Second, "4"},
		{"the pair's limit", reply{status: 400, body: `{"error":{"code":131056}}`}, delivery.Retry, 6 * time.Second, "131056"},
		{"elsewhere", reply{status: 307, header: http.Header{"Location": {"https://evil.example"}}}, delivery.Config, 0, "307"},
		{"no JSON", reply{status: 200, body: `ok`}, delivery.Uncertain, 0, "answer"},
		{"no id", reply{status: 200, body: `{"messages":[]}`}, delivery.Uncertain, 0, "answer"},
		{"a huge id", reply{status: 200, body: `{"messages":[{"id":"` + strings.Repeat("w", 600) + `"}]}`}, delivery.Uncertain, 0, "answer"},
	} {
		g.answer(s.reply)
		r := c.Submit(t.Context(), text(t))
		if r.Class != s.class || r.After != s.after || r.Failure.Code != s.code {
			t.Errorf("%s: Submit = %+v; want %v after %v, %s", s.name, r, s.class, s.after, s.code)
		}
	}
}

func TestWhatCannotBeSentIsNotAskedFor(t *testing.T) {
	t.Parallel()
	g := newGraph(t)
	cfg := config(g)
	cfg.Accounts[0].APIAccounts = []string{"acme"}
	c := open(t, cfg, newDesk().deps())
	mail, err := phone.ParseAddress("ada@example.com")
	noError(t, err)
	for code, s := range map[string]struct {
		class  delivery.Class
		change func(*delivery.Message)
	}{
		"channel":   {delivery.Config, func(m *delivery.Message) { m.Step.Channel = message.SMS }},
		"recipient": {delivery.Permanent, func(m *delivery.Message) { m.Recipient = mail.Recipient() }},
		"expired":   {delivery.Permanent, func(m *delivery.Message) { m.Expires = time.Now() }},
		"code":      {delivery.Permanent, func(m *delivery.Message) { m.Code = otp.NewCode(strings.Repeat("1", 16)) }},
		"account":   {delivery.Config, func(m *delivery.Message) { m.Step.AccountRef = "nobody" }},
		"template":  {delivery.Config, func(m *delivery.Message) { m.Step.Template = "" }},
		"sender":    {delivery.Config, func(m *delivery.Message) { m.Step.Sender = "4940999999" }},
	} {
		if r := c.Submit(t.Context(), text(t, s.change)); r.Class != s.class || r.Failure.Code != code || !r.Own {
			t.Errorf("Submit = %+v; want %v, %s, the message's own", r, s.class, code)
		}
	}
	if r := c.Submit(t.Context(), text(t, func(m *delivery.Message) { m.Account = "rival" })); r.Failure.Code != "account" {
		t.Errorf("Submit for an API account that may not use the WhatsApp account = %+v; want it refused", r)
	}
	if got := g.requests(""); len(got) != 0 {
		t.Errorf("%d requests were made; want none", len(got))
	}
	for _, change := range []func(*delivery.Message){
		func(m *delivery.Message) { m.Step.Sender = "+" + business },
		func(m *delivery.Message) { m.Step.AccountRef = strings.ToUpper(ref) },
		func(m *delivery.Message) { m.Step.AccountRef = waba },
		func(m *delivery.Message) { m.Code = otp.NewCode(strings.Repeat("1", 15)) },
	} {
		if r := c.Submit(t.Context(), text(t, change)); r.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted", r)
		}
	}
}

func TestWhoIsNotOnWhatsAppIsNotTriedAgainForHours(t *testing.T) {
	t.Parallel()
	g, at := newGraph(t), newClock()
	d := newDesk().deps()
	d.Now = at.Now
	c := open(t, config(g), d)
	lasting := func(m *delivery.Message) { m.Expires = at.Now().Add(time.Minute) }
	g.answer(refusal(http.StatusBadRequest, 131026, 0))
	for range 2 {
		if r := c.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Permanent || r.Failure.Code != "131026" {
			t.Errorf("Submit = %+v; want Permanent, 131026", r)
		}
	}
	if got := len(g.requests("")); got != 1 {
		t.Errorf("%d requests; want 1, as the second needs no question", got)
	}
	other := func(m *delivery.Message) { m.Recipient = recipient(t, "+491712345679") }
	if r := c.Submit(t.Context(), text(t, lasting, other)); r.Class != delivery.Accepted {
		t.Errorf("Submit to another person = %+v; want Accepted", r)
	}
	at.pass(2 * time.Hour)
	if r := c.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Accepted {
		t.Errorf("Submit hours later = %+v; want Accepted", r)
	}
}

func TestWhoIsNotOnWhatsAppForOneAccountIsTriedByAnother(t *testing.T) {
	t.Parallel()
	g := newGraph(t)
	cfg := config(g)
	cfg.Accounts = append(cfg.Accounts, meta.Account{ID: "555000111", Numbers: map[string]string{"4940123456": "777000111"}, AppSecret: setting.NewSecret("another app")})
	c := open(t, cfg, newDesk().deps())
	g.answer(refusal(http.StatusBadRequest, 131026, 0))
	c.Submit(t.Context(), text(t))
	theirs := func(m *delivery.Message) { m.Step.AccountRef, m.Step.Sender = "555000111", "" }
	c.Submit(t.Context(), text(t, theirs))
	if got := len(g.requests("")); got != 2 {
		t.Errorf("%d requests; want 2, as the second is another account's", got)
	}
}

func TestWithoutAPublicAddressNoReceiptIsPromised(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "https://otp.example/carriers/whatsapp/receipts/t"} {
		d := newDesk().deps()
		d.ReceiptURL = address
		c := open(t, config(newGraph(t)), d)
		if r := c.Submit(t.Context(), text(t)); r.Class != delivery.Accepted || r.NoReceipt != (address == "") {
			t.Errorf("with the address %q: Submit = %+v; want Accepted, and NoReceipt only without one", address, r)
		}
	}
}

func TestANumberAtItsSpamLimitRestsForAQuarterOfAnHour(t *testing.T) {
	t.Parallel()
	g, at := newGraph(t), newClock()
	d := newDesk().deps()
	d.Now = at.Now
	c := open(t, config(g), d)
	lasting := func(m *delivery.Message) { m.Expires = at.Now().Add(time.Minute) }
	g.answer(refusal(http.StatusBadRequest, 131048, 0))
	for _, pause := range []time.Duration{0, 15*time.Minute - 1} {
		at.pass(pause)
		if r := c.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Config || r.Failure.Code != "131048" {
			t.Errorf("Submit = %+v; want Config, 131048", r)
		}
	}
	if got := len(g.requests("")); got != 1 {
		t.Errorf("%d requests; want 1", got)
	}
	at.pass(1)
	if r := c.Submit(t.Context(), text(t, lasting)); r.Class != delivery.Accepted {
		t.Errorf("Submit after the rest = %+v; want Accepted", r)
	}
}

func TestACheckProvesTokenNumbersAndSubscriptionAndSendsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*meta.Config)
		prepare func(*graph)
		want    string
	}{
		"all is well": {func(*meta.Config) {}, func(*graph) {}, ""},
		"a wrong token": {
			func(c *meta.Config) { c.Token = setting.NewSecret("stale") },
			func(*graph) {}, "account 102290129340398: HTTP status 401, error 190/463: The access token has expired or was revoked",
		},
		"an unknown account": {
			func(c *meta.Config) { c.Accounts[0].ID = "999" },
			func(*graph) {}, "account 999: HTTP status 400, error 100/33: A parameter is wrong",
		},
		"another's number": {
			func(*meta.Config) {}, func(g *graph) { g.display = "+1 631-555-5555" },
			`account 102290129340398, number 4930123456: the phone number id 106540352242922 is that of "16315555555"`,
		},
		"no subscription": {
			func(*meta.Config) {}, func(g *graph) { g.apps = 0 },
			"account 102290129340398: no app is subscribed to its webhooks, so no receipts will come",
		},
		"nobody there": {
			func(c *meta.Config) { c.BaseURL = "http://127.0.0.1:1" },
			func(*graph) {}, "account 102290129340398: no usable answer: The carrier could not be connected to",
		},
	} {
		g := newGraph(t)
		c.prepare(g)
		cfg := config(g)
		c.change(&cfg)
		err := open(t, cfg, newDesk().deps()).Check(t.Context())
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s: Check = %v; want %s", name, err, c.want)
		}
		if got := g.requests(http.MethodPost); len(got) != 0 {
			t.Errorf("%s: Check posted %v", name, got)
		}
	}
}
