package kannel_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/kannel"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	code       = "80427519"
	number     = "+491712345678"
	dedupe     = "0e7a2b1c-5f0d-4b57-9a55-5f5a3ea0a001"
	receiptURL = "https://otp.example.com/carriers/kannel/receipts/token"
	accepted   = "0: Accepted for delivery"
)

func config(url string) kannel.Config {
	return kannel.Config{Name: "kannel", URL: url, Username: "otp", Password: setting.NewSecret("hunter2")}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start returns a carrier that runs until the test's end.
func start(t testing.TB, cfg kannel.Config, d kannel.Deps) (c *kannel.Carrier, stop func()) {
	t.Helper()
	if d.Receive == nil {
		d.Receive = (&carriertest.Desk{}).Receive
	}
	if d.Log == nil {
		d.Log = discard()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	c, err := kannel.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return c, carriertest.Start(t, c)
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL + "/cgi-bin/sendsms"
}

func text(t testing.TB, words string) delivery.Message {
	t.Helper()
	to, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Message{
		Dedupe: dedupe, Account: "acme", OTPID: "o1", Recipient: to.Recipient(),
		Step: delivery.Step{
			Channel: message.SMS, Sender: "Acme",
			Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
		},
		Code: otp.NewCode(code), Expires: time.Now().Add(5 * time.Minute), Try: 1,
	}
}

// report sends a report and returns the status.
func report(t testing.TB, h http.Handler, values url.Values) int {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+values.Encode(), nil))
	return w.Code
}

// query reads "a=b&c=d".
func query(t testing.TB, text string) url.Values {
	t.Helper()
	v, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const long = "Your code for the account that you opened with us a moment ago is {code}. Please do not tell it to anybody, whoever asks for it, " +
	"not even to somebody who says that he works for us. It is good for five minutes."

var longText = strings.ReplaceAll(long, "{code}", code)
