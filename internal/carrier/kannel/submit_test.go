package kannel_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// epoch is the time of golden requests.
var epoch = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func TestRequestsAreWrittenAsKannelReadsThem(t *testing.T) {
	t.Parallel()
	full := func(c *kannel.Config) {
		c.SMSC, c.Account, c.Priority, c.Flash, c.StripPlus, c.Sender = "link 1", "otp&co", 2, true, true, "+4930123"
		c.Metadata = map[string]string{"dlt_entity_id": "1101", "dlt_template_id": "a&b=c"}
	}
	for name, c := range map[string]struct {
		config func(*kannel.Config)
		words  string
		sender string
	}{
		"post":         {func(*kannel.Config) {}, "Your code is {code}.", "Acme"},
		"post-full":    {full, "Код {code} & 100%", ""},
		"post-long":    {func(*kannel.Config) {}, long, "Acme"},
		"post-gateway": {func(c *kannel.Config) { c.Long = "gateway" }, long, "Acme"},
		"form":         {func(c *kannel.Config) { c.Method = "form" }, "Your code is {code}.", "A&B %41"},
		"form-full":    {func(c *kannel.Config) { full(c); c.Method = "form" }, "Код {code} & 100%", ""},
		"form-long":    {func(c *kannel.Config) { c.Method = "form" }, long, "Acme"},
		"get":          {func(c *kannel.Config) { c.Method = "get" }, "Your code is {code}.", "A&B %41"},
		"get-full":     {func(c *kannel.Config) { full(c); c.Method = "get" }, "Код {code} & 100%", ""},
		"get-long":     {func(c *kannel.Config) { c.Method = "get" }, long, "Acme"},
	} {
		var mu sync.Mutex
		var got bytes.Buffer
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Host, r.Body = "kannel.example", io.NopCloser(bytes.NewReader(body))
			if err := r.Write(&got); err != nil {
				t.Error(err)
			}
			got.WriteString("\n")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, accepted)
		}))
		cfg := config(s.URL + "/cgi-bin/sendsms")
		c.config(&cfg)
		m := text(t, c.words)
		m.Step.Sender, m.Expires = c.sender, epoch.Add(4*time.Minute+time.Second)
		carrier, stop := start(t, cfg, kannel.Deps{Now: func() time.Time { return epoch }, ReceiptURL: receiptURL})
		if r := carrier.Submit(t.Context(), m); r != (delivery.Result{Class: delivery.Accepted, Ref: dedupe}) {
			t.Errorf("%s: Submit = %+v; want Accepted", name, r)
		}
		stop()
		s.Close()
		golden(t, filepath.Join("testdata", name+".http"), strings.ReplaceAll(got.String(), "\r\n", "\n"))
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

func TestWithoutAPublicAddressNoReportIsAskedFor(t *testing.T) {
	t.Parallel()
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Kannel-DLR-URL")+r.Header.Get("X-Kannel-DLR-Mask") != "" {
			t.Errorf("headers = %v; want none about reports", r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, accepted)
	})
	c, _ := start(t, config(at), kannel.Deps{})
	if r := c.Submit(t.Context(), text(t, "{code}")); r.Class != delivery.Accepted || !r.NoReceipt {
		t.Errorf("Submit = %+v; want Accepted without receipt", r)
	}
}

func TestAnswersHaveClasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		class  delivery.Class
		code   string
	}{
		"accepted":      {202, accepted, delivery.Accepted, ""},
		"queued":        {202, "3: Queued for later delivery", delivery.Accepted, ""},
		"no sendsms":    {200, "<html>Welcome</html>", delivery.Config, "answer"},
		"empty":         {202, "", delivery.Config, "answer"},
		"no receiver":   {400, "Missing receiver number, rejected", delivery.Permanent, "400"},
		"denied":        {400, "Number(s) has/have been denied by white- and/or black-lists.", delivery.Permanent, "400"},
		"charset":       {400, "Charset or body misformed, rejected", delivery.Permanent, "400"},
		"no sender":     {400, "Sender missing and no global set, rejected", delivery.Config, "400"},
		"validity":      {400, "Validity field misformed, rejected", delivery.Config, "400"},
		"content type":  {400, "Invalid content-type", delivery.Config, "400"},
		"credentials":   {403, "Authorization failed for sendsms", delivery.Config, "403"},
		"path":          {404, "Unknown request.", delivery.Config, "404"},
		"temporal":      {503, "Temporal failure, try again later.", delivery.Retry, "503"},
		"proxy lost it": {502, "", delivery.Uncertain, "502"},
	} {
		at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		carrier, _ := start(t, config(at), kannel.Deps{ReceiptURL: receiptURL})
		r := carrier.Submit(t.Context(), text(t, "{code}"))
		if r.Class != c.class || r.Failure.Code != c.code || (r.Failure.Text == "") != (c.code == "") || (r.Ref == dedupe) != (c.class == delivery.Accepted || c.class == delivery.Uncertain) {
			t.Errorf("%s: Submit = %+v; want %v, %q", name, r, c.class, c.code)
		}
	}
}

func TestAPartThatIsNotTakenEndsTheMessage(t *testing.T) {
	t.Parallel()
	var asked int
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, accepted)
	})
	c, _ := start(t, config(at), kannel.Deps{ReceiptURL: receiptURL})
	if r := c.Submit(t.Context(), text(t, long+long)); r.Class != delivery.Retry || asked != 2 {
		t.Errorf("Submit = %+v after %d requests; want Retry after 2", r, asked)
	}
}

func TestWhatCannotBeSentIsNotSent(t *testing.T) {
	t.Parallel()
	at := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	c, _ := start(t, config(at), kannel.Deps{ReceiptURL: receiptURL})
	mail, err := phone.ParseAddress("ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*delivery.Message){
		"CONFIG channel":      func(m *delivery.Message) { m.Step.Channel = message.Viber },
		"PERMANENT recipient": func(m *delivery.Message) { m.Recipient = mail.Recipient() },
		"PERMANENT expired":   func(m *delivery.Message) { m.Expires = time.Now() },
		"PERMANENT text":      func(m *delivery.Message) { m.Step.Text = message.Template{} },
		"CONFIG sender":       func(m *delivery.Message) { m.Step.Sender = "a\r\nX-Kannel-To: 1" },
		"PERMANENT length":    func(m *delivery.Message) { m.Step.Text = message.Parse(strings.Repeat("x", 153*255+1), nil) },
	} {
		m := text(t, "{code}")
		change(&m)
		if r := c.Submit(t.Context(), m); r.Class.String()+" "+r.Failure.Code != want || !r.Own {
			t.Errorf("Submit = %+v; want %s, the message's own", r, want)
		}
	}
}

func TestPlainTextIsNotSentToAPublicAddress(t *testing.T) {
	t.Parallel()
	cfg := config("http://8.8.8.8/cgi-bin/sendsms")
	if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), "allow_plaintext: ") {
		t.Errorf("Validate = %v; want allow_plaintext", err)
	}
	cfg.AllowPlaintext = true
	if err := cfg.Validate(); err != nil {
		t.Errorf("Validate = %v; want nil", err)
	}
}
