package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
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

// secretOf returns a signing secret made of one byte, repeated.
func secretOf(fill byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

func config(url string) webhook.Config {
	return webhook.Config{Name: "gateway", URL: url, Secret: setting.NewSecret(secretOf(1)), AllowPrivate: true}
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// open starts a receiver and a carrier that posts to it.
func open(t testing.TB, h http.HandlerFunc, change func(*webhook.Config, *webhook.Deps)) *webhook.Carrier {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg, d := config(s.URL+"/send"), webhook.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: time.Now, ReceiptURL: receiptURL, Version: "1.2.3"}
	if change != nil {
		change(&cfg, &d)
	}
	c, err := webhook.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	carriertest.Start(t, c)
	return c
}

func text(t testing.TB, channel message.Channel, words string) delivery.Message {
	t.Helper()
	to, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Message{
		Dedupe: dedupe, Account: "acme", OTPID: "o1", Recipient: to.Recipient(),
		Step: delivery.Step{
			Channel: channel, Sender: "Acme", Language: "de",
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

// report posts a receipt signed with a secret and returns the status.
func report(t testing.TB, h http.Handler, secret, body string, at time.Time) int {
	t.Helper()
	return reportIn(t.Context(), t, h, secret, body, at)
}

// reportIn is report with who posts it hanging up when ctx ends.
func reportIn(ctx context.Context, t testing.TB, h http.Handler, secret, body string, at time.Time) int {
	t.Helper()
	s, err := callback.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := callback.Sign([]callback.Secret{s}, "r1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader([]byte(body)))
	req.Header.Set("webhook-id", "r1")
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code
}
