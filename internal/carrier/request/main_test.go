package request_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/request"
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
	receiptURL = "https://otp.example.com/carriers/gateway/receipts/token"
)

// epoch is the time of carriers that do not ask a real one.
var epoch = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

// config is the least that works.
func config(url string) request.Config {
	return request.Config{Name: "gateway", URL: url, Body: `{"to":"{to}","text":"{text}"}`, AllowPrivate: true}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// made makes a carrier that is not run.
func made(t testing.TB, cfg request.Config) *request.Carrier {
	t.Helper()
	c, err := request.New(cfg, request.Deps{
		Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: func() time.Time { return epoch }, ReceiptURL: receiptURL, Version: "1.2.3",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open starts a gateway and a carrier that asks it.
func open(t testing.TB, h http.HandlerFunc, change func(*request.Config, *request.Deps)) *request.Carrier {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg, d := config(s.URL+"/send"), request.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: time.Now, ReceiptURL: receiptURL, Version: "1.2.3"}
	if change != nil {
		change(&cfg, &d)
	}
	c, err := request.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	carriertest.Start(t, c)
	return c
}

func sms(t testing.TB, words string) delivery.Message {
	t.Helper()
	to, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Message{
		Dedupe: dedupe, Account: "acme", OTPID: "o1", Recipient: to.Recipient(),
		Step: delivery.Step{
			Channel: message.SMS, Sender: "Acme", Language: "de",
			Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
		},
		Code: otp.NewCode(code), Expires: time.Now().Add(5 * time.Minute), Try: 1,
	}
}

// answers returns a handler that reads the request and answers it.
func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// never is a gateway that nobody may ask.
func never(t testing.TB) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }
}

// report brings a receipt and returns the status.
func report(t testing.TB, h http.Handler, method, query, body string) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/", bytes.NewReader([]byte(body)))
	req.URL.RawQuery = query
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}
