package request_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/request"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// everything is each placeholder that is no secret's, in a JSON body.
const everything = `{
  "to": "{to}", "digits": {to_digits}, "quoted": "{to_digits}", "from": "{sender}", "text": "{text}", "code": "{code}",
  "language": "{language}", "channel": "{channel}", "id": "{id}", "attempt": {attempt}, "segments": {segments}, "coding": "{encoding}",
  "expires": ["{expires_at}", {expires_unix}], "ttl": [{ttl_seconds}, {ttl_minutes}], "callback": "{receipt_url}?d={id}", "key": "{secret.key}"
}`

func TestRequestsAreWrittenForTheirPlaces(t *testing.T) {
	t.Parallel()
	const hostile = `"\{to}` + "\r\n\t" + `&text=x;+%41 <б😀` + "\u2028\xff"
	secrets := func(value string) map[string]setting.Secret {
		return map[string]setting.Secret{"key": setting.NewSecret(value)}
	}
	receipts := func(c *request.Config) {
		c.ReceiptID, c.ReceiptStatus, c.Delivered = "d", "st", []string{"1"}
	}
	for name, change := range map[string]func(*request.Config, *delivery.Message){
		"json": func(c *request.Config, m *delivery.Message) {
			receipts(c)
			c.Body, c.IncludeCode, c.Secrets, c.Bearer = everything, true, secrets("k1"), setting.NewSecret("b1")
			c.Encodings = map[string]string{"GSM7": "0", "UCS2": "8"}
			c.Headers = map[string]string{"Idempotency-Key": "{id}", "X-Key": "key {secret.key}", "Accept": "application/json"}
			m.Step.Text = message.Parse("Привет {code}", []message.Placeholder{{Token: "{code}", Code: true}})
			m.Try, m.Expires = 3, epoch.Add(4*time.Minute+59*time.Second+time.Millisecond)
		},
		"json-hostile": func(c *request.Config, m *delivery.Message) {
			receipts(c)
			c.Body, c.IncludeCode, c.Secrets = everything, true, secrets(hostile)
			m.Step.Sender, m.Step.Language, m.Dedupe = hostile, hostile, hostile
			m.Step.Text = message.Parse(hostile+"{code}", []message.Placeholder{{Token: "{code}", Code: true}})
		},
		"form": func(c *request.Config, _ *delivery.Message) {
			c.ContentType, c.Method, c.Username, c.Password = "form", "PUT", "ada", setting.NewSecret("p1")
			c.Body = "user=ada&pass={secret.key}&to={to}&text={text}&flags=a%20b"
			c.Secrets, c.Channels = secrets("p&1="), []message.Channel{message.SMS, message.Viber}
		},
		"form-hostile": func(c *request.Config, m *delivery.Message) {
			c.ContentType, c.Body = "form", "to={to}&text={text}&from={sender}"
			m.Step.Sender = hostile
			m.Step.Text = message.Parse(hostile, nil)
		},
		"text": func(c *request.Config, m *delivery.Message) {
			c.ContentType, c.Body = "text", "{text}"
			c.Headers = map[string]string{"X-To": "{to}"}
			m.Step.Text = message.Parse("Привет, {code}\nAda", []message.Placeholder{{Token: "{code}", Code: true}})
		},
		"get": func(c *request.Config, m *delivery.Message) {
			c.Method, c.Body, c.CodeInURL = "GET", "", true
			c.Secrets = secrets("p&1= +")
			c.URL += "/v1/{to_digits}/{sender}?user=ada&pass={secret.key}&to={to}&text={text}&x=%20"
			m.Step.Sender = "A/../B?c#d"
			m.Step.Text = message.Parse(hostile+"{code}", []message.Placeholder{{Token: "{code}", Code: true}})
		},
		"default-sender": func(c *request.Config, m *delivery.Message) {
			c.Body, c.Sender = `{"to":"{to}","text":"{text}","from":"{sender}"}`, "Base"
			m.Step.Sender = ""
		},
		"voice": func(c *request.Config, m *delivery.Message) {
			c.Channels = []message.Channel{message.Voice}
			m.Step.Channel = message.Voice
		},
	} {
		var got bytes.Buffer
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Host = "gateway.example"
			r.Body = io.NopCloser(bytes.NewReader(body))
			if len(body) == 0 {
				r.Body = http.NoBody
			}
			if err := r.Write(&got); err != nil {
				t.Error(err)
			}
		}))
		cfg := config(s.URL + "/send")
		m := sms(t, "Dein Code ist {code}.")
		m.Expires = epoch.Add(5 * time.Minute)
		change(&cfg, &m)
		c := made(t, cfg)
		stop := carriertest.Start(t, c)
		want := delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe, NoReceipt: cfg.ReceiptID == ""}
		if diff := cmp.Diff(want, c.Submit(t.Context(), m)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
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
	accepted := func(ref string) delivery.Result {
		return delivery.Result{Class: delivery.Accepted, Ref: ref, NoReceipt: true}
	}
	because := func(class delivery.Class, code string) delivery.Result {
		r := delivery.Result{Class: class, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: code}}
		if class == delivery.Retry {
			r.After = 7 * time.Second
		}
		return r
	}
	plain := func(*request.Config) {}
	byRef := func(c *request.Config) { c.RefPointer = "/messages/0/id" }
	at := func(pointer string) func(*request.Config) {
		return func(c *request.Config) { c.RefPointer = pointer }
	}
	inside := func(c *request.Config) { // 200 with an error inside
		c.SuccessPointer, c.SuccessValues, c.RefPointer = "/status", []string{"0", "ok"}, "/id"
		c.RetryValues, c.PermanentValues, c.ConfigValues = []string{"1"}, []string{"6", "7"}, []string{"9", "No-Credit"}
	}
	errs := func(c *request.Config) {
		c.ErrorPointer, c.ConfigValues, c.RetryValues = "/error/code", []string{"balance"}, []string{"throttled"}
	}
	words := func(c *request.Config) {
		c.Answer, c.SuccessPointer, c.SuccessValues, c.RefPointer = "text", "/0", []string{"OK"}, "/1"
		c.ErrorPointer, c.ConfigValues = "/1", []string{"001"}
	}
	for name, c := range map[string]struct {
		change func(*request.Config)
		status int
		body   string
		want   delivery.Result
	}{
		"200":                        {plain, 200, ``, accepted(dedupe)},
		"202 with text":              {plain, 202, `queued`, accepted(dedupe)},
		"204 that nobody listed":     {plain, 204, ``, because(delivery.Config, "204")},
		"204 that is listed":         {func(c *request.Config) { c.SuccessStatus = []int{204} }, 204, ``, accepted(dedupe)},
		"409 that is listed":         {func(c *request.Config) { c.SuccessStatus = []int{200, 409} }, 409, ``, accepted(dedupe)},
		"400":                        {plain, 400, `{"id":1}`, because(delivery.Permanent, "400")},
		"401":                        {plain, 401, ``, because(delivery.Config, "401")},
		"429":                        {plain, 429, ``, because(delivery.Retry, "429")},
		"504":                        {plain, 504, ``, because(delivery.Uncertain, "504")},
		"redirect":                   {plain, 307, ``, because(delivery.Config, "307")},
		"a ref":                      {byRef, 200, `{"messages":[{"id":"r1"}]}`, accepted("r1")},
		"a ref that is a number":     {byRef, 200, `{"messages":[{"id":12345678901234567890}]}`, accepted("12345678901234567890")},
		"a name with a slash":        {at("/a~1b/c~0d/~01"), 200, `{"a/b":{"c~d":{"~1":"r1"}}}`, accepted("r1")},
		"an empty name":              {at("/"), 200, `{"":"r1"}`, accepted("r1")},
		"the second":                 {at("/1"), 200, `["r0","r1"]`, accepted("r1")},
		"no such place":              {at("/2"), 200, `["r0","r1"]`, because(delivery.Uncertain, "answer")},
		"a place with a zero":        {at("/01"), 200, `["r0","r1"]`, because(delivery.Uncertain, "answer")},
		"no place":                   {at("/-"), 200, `["r0","r1"]`, because(delivery.Uncertain, "answer")},
		"into a text":                {at("/a/b"), 200, `{"a":"b"}`, because(delivery.Uncertain, "answer")},
		"no ref":                     {byRef, 200, `{"messages":[]}`, because(delivery.Uncertain, "answer")},
		"a ref that is an object":    {byRef, 200, `{"messages":[{"id":{}}]}`, because(delivery.Uncertain, "answer")},
		"an empty ref":               {byRef, 200, `{"messages":[{"id":""}]}`, because(delivery.Uncertain, "answer")},
		"a ref with a zero byte":     {byRef, 200, `{"messages":[{"id":"a\u0000"}]}`, because(delivery.Uncertain, "answer")},
		"a long ref":                 {byRef, 200, `{"messages":[{"id":"` + strings.Repeat("x", 256) + `"}]}`, because(delivery.Uncertain, "answer")},
		"no JSON":                    {byRef, 200, `OK`, because(delivery.Uncertain, "answer")},
		"two JSON texts":             {byRef, 200, `{"messages":[{"id":"r1"}]}{}`, because(delivery.Uncertain, "answer")},
		"a body of 1 MB":             {byRef, 200, strings.Repeat("[", 1<<20), because(delivery.Uncertain, "answer")},
		"success inside":             {inside, 200, `{"status":0,"id":"r1"}`, accepted("r1")},
		"success in another case":    {inside, 200, `{"status":"OK","id":"r1"}`, accepted("r1")},
		"success without an id":      {inside, 200, `{"status":"OK"}`, because(delivery.Uncertain, "answer")},
		"an error inside":            {inside, 200, `{"status":"6","id":"r1"}`, because(delivery.Permanent, "6")},
		"one that may go away":       {inside, 200, `{"status":1}`, because(delivery.Retry, "1")},
		"the operator's":             {inside, 200, `{"status":"no-credit"}`, because(delivery.Config, "no-credit")},
		"one that is not listed":     {inside, 200, `{"status":99}`, because(delivery.Permanent, "99")},
		"a sentence":                 {inside, 200, `{"status":"bad number"}`, because(delivery.Permanent, "200")},
		"one that quotes the code":   {inside, 200, `{"status":"bad-` + code + `"}`, because(delivery.Permanent, "200")},
		"one that quotes the number": {inside, 200, `{"status":"to` + number[1:] + `"}`, because(delivery.Permanent, "200")},
		"another program's answer":   {inside, 200, `<html>`, because(delivery.Config, "answer")},
		"success with a failure":     {inside, 400, `{"status":0,"id":"r1"}`, because(delivery.Permanent, "0")},
		"listed with a failure":      {inside, 400, `{"status":9}`, because(delivery.Config, "9")},
		"listed with 502":            {inside, 502, `{"status":1}`, because(delivery.Retry, "1")},
		"an error's own place":       {errs, 400, `{"error":{"code":"balance"}}`, because(delivery.Config, "balance")},
		"an error with 200":          {errs, 200, `{"error":{"code":"throttled"}}`, because(delivery.Retry, "throttled")},
		"an unknown error with 200":  {errs, 200, `{"error":{"code":"none"}}`, accepted(dedupe)},
		"an unknown error with 422":  {errs, 422, `{"error":{"code":"blocked"}}`, because(delivery.Permanent, "blocked")},
		"words":                      {words, 200, "OK: 12345\r\n", accepted("12345")},
		"words with bars":            {words, 200, "OK|12345|x", accepted("12345")},
		"words of an error":          {words, 200, "ERR: 001, Authentication failed", because(delivery.Config, "001")},
		"words of another":           {words, 200, "ERR: 105", because(delivery.Permanent, "105")},
		"no words":                   {words, 200, "", because(delivery.Config, "answer")},
		"one word":                   {words, 200, "OK", because(delivery.Uncertain, "answer")},
	} {
		g := open(t, answers(c.status, c.body, "Retry-After", "7"), func(cfg *request.Config, _ *request.Deps) { c.change(cfg) })
		r := g.Submit(t.Context(), sms(t, "{code}"))
		if (r.Failure.Text == "") != (r.Class == delivery.Accepted) {
			t.Errorf("%s: Submit = %+v; a text goes with a failure", name, r)
		}
		r.Failure.Text = ""
		if diff := cmp.Diff(c.want, r); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAMessageWhoseAnswerWasLostIsKnownByItsIdIfReceiptsNameThat(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*request.Config){
		dedupe: func(c *request.Config) {
			c.Body = `{"to":"{to}","text":"{text}","id":"{id}"}`
			c.ReceiptID, c.ReceiptStatus, c.Delivered = "id", "st", []string{"1"}
		},
		"": func(c *request.Config) {
			c.RefPointer, c.ReceiptRef, c.ReceiptStatus, c.Delivered = "/id", "id", "st", []string{"1"}
		},
	} {
		g := open(t, answers(http.StatusGatewayTimeout, ""), func(c *request.Config, _ *request.Deps) { change(c) })
		if r := g.Submit(t.Context(), sms(t, "{code}")); r.Class != delivery.Uncertain || r.Ref != want {
			t.Errorf("Submit = %+v; want Uncertain with the reference %q", r, want)
		}
	}
}

func TestWhatCannotBeSentIsNotSent(t *testing.T) {
	t.Parallel()
	mail, err := phone.ParseAddress("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*request.Config, *delivery.Message)
		class  delivery.Class
		code   string
		own    bool
	}{
		"late": {func(_ *request.Config, m *delivery.Message) { m.Expires = time.Now() }, delivery.Permanent, "expired", true},
		"another channel": {
			func(_ *request.Config, m *delivery.Message) { m.Step.Channel = message.Viber },
			delivery.Config, "channel", true,
		},
		"no text": {func(_ *request.Config, m *delivery.Message) { m.Step.Text = message.Template{} }, delivery.Permanent, "text", true},
		"an address for a number": {func(c *request.Config, m *delivery.Message) {
			c.Body = `{"to":{to_digits},"text":"{text}"}`
			m.Recipient = mail.Recipient()
		}, delivery.Permanent, "recipient", true},
		"a line in a header": {func(c *request.Config, m *delivery.Message) {
			c.Headers = map[string]string{"From": "{sender}"}
			m.Step.Sender = "Acme\r\nX-Admin: 1"
		}, delivery.Config, "unfit", true},
		"the server's sender in a header": {func(c *request.Config, m *delivery.Message) {
			c.Headers = map[string]string{"From": "{sender}"}
			m.Step.Sender, m.DefaultSender = "Äcme", true
		}, delivery.Config, "unfit", false},
		"a way up in the path": {func(c *request.Config, m *delivery.Message) {
			c.URL += "/{sender}/send"
			m.Step.Sender = ".."
		}, delivery.Config, "unfit", true},
		"nothing in the path": {func(c *request.Config, m *delivery.Message) {
			c.URL += "/{language}/send"
			m.Step.Language = ""
		}, delivery.Config, "unfit", true},
		"a secret in the path": {func(c *request.Config, _ *delivery.Message) {
			c.URL += "/{secret.key}/send"
			c.Secrets = map[string]setting.Secret{"key": setting.NewSecret("..")}
		}, delivery.Config, "unfit", false},
	} {
		m := sms(t, "{code}")
		g := open(t, never(t), func(cfg *request.Config, _ *request.Deps) { c.change(cfg, &m) })
		if r := g.Submit(t.Context(), m); r.Class != c.class || r.Failure.Code != c.code || r.Own != c.own || r.Failure.Text == "" {
			t.Errorf("%s: Submit = %+v; want %v, %s, Own %v", name, r, c.class, c.code, c.own)
		}
	}
}

func TestAddressesAreGuardedWhenTheyAreResolved(t *testing.T) {
	t.Parallel()
	g := open(t, never(t), func(c *request.Config, _ *request.Deps) {
		c.URL, c.AllowPrivate = strings.Replace(c.URL, "127.0.0.1", "localhost", 1), false
	})
	if r := g.Submit(t.Context(), sms(t, "{code}")); r.Class != delivery.Config || r.Failure.Code != "address" {
		t.Errorf("Submit = %+v; want Config, address", r)
	}
}

// Whatever the request looks like, and whatever is said of the gateway: what broke
// off after it was written is told, and not repeated behind the dispatcher's back.
func TestABrokenSubmitIsUncertainAndReadOnce(t *testing.T) {
	t.Parallel()
	key := func(c *request.Config) { c.Headers = map[string]string{"Idempotency-Key": "{id}"} }
	for name, change := range map[string]func(*request.Config){
		"post":            func(c *request.Config) { c.Body = `{"to":"{to}","id":"{id}","text":"{text}"}` },
		"post with a key": key,
		"get":             get,
	} {
		for _, dedupes := range []bool{false, true} {
			var submits, checks atomic.Int32
			g := open(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead: // keeps its connection, if it may
					checks.Add(1)
				case submits.Add(1) > 1:
					w.WriteHeader(http.StatusUnauthorized)
				default:
					_, _ = io.Copy(io.Discard, r.Body)
					panic(http.ErrAbortHandler)
				}
			}, func(c *request.Config, _ *request.Deps) {
				change(c)
				c.Deduplicates = dedupes
			})
			if err := g.Check(t.Context()); err != nil {
				t.Errorf("Check = %v; want nil", err)
			}
			if r := g.Submit(t.Context(), sms(t, "{code}")); r.Class != delivery.Uncertain || submits.Load() != 1 || checks.Load() != 1 {
				t.Errorf("%s, deduplicates %t: Submit = %+v after %d submits; want Uncertain after one", name, dedupes, r, submits.Load())
			}
			if g.Dedupes() != dedupes {
				t.Errorf("%s: Dedupes = %t; want %t", name, g.Dedupes(), dedupes)
			}
		}
	}
}

func get(c *request.Config) {
	c.Method, c.Body, c.CodeInURL = "GET", "", true
	c.URL += "?to={to}&text={text}&id={id}"
}

func TestACheckSendsNoMessage(t *testing.T) {
	t.Parallel()
	var asked []string
	look := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+r.Header.Get("X-Key")+r.Header.Get("X-Id"))
			w.WriteHeader(status)
		}
	}
	balance := func(c *request.Config, _ *request.Deps) {
		c.CheckURL = strings.TrimSuffix(c.URL, "/send") + "/balance?key={secret.key}"
		c.Secrets = map[string]setting.Secret{"key": setting.NewSecret("k 1")}
		c.Headers = map[string]string{"X-Key": "{secret.key}", "X-Id": "of {id}"}
	}
	for _, c := range []struct {
		status int
		change func(*request.Config, *request.Deps)
		err    string
	}{
		{404, func(c *request.Config, _ *request.Deps) { c.Bearer = setting.NewSecret("b") }, ""},
		{200, balance, ""},
		{403, balance, "the gateway answered with HTTP status 403"},
	} {
		err := open(t, look(c.status), c.change).Check(t.Context())
		if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("Check = %v; want %q", err, c.err)
		}
	}
	if diff := cmp.Diff([]string{"HEAD / ", "GET /balance?key=k%201 k 1", "GET /balance?key=k%201 k 1"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	gone := open(t, never(t), func(c *request.Config, _ *request.Deps) { c.URL = "http://127.0.0.1:1/secret-path" })
	if err := gone.Check(t.Context()); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Errorf("Check = %v; want an error without the URL", err)
	}
}
