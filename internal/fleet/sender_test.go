package fleet_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func TestACarriersOwnSenderGoesBeforeTheServers(t *testing.T) {
	t.Parallel()
	var from string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = r.Header.Get("X-Kannel-From")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("0: Accepted for delivery"))
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct{ name, own, sender, want string }{
		{"nobody but the server names one", "Acme", "VERIFY", "Acme"},
		{"nobody names one", "Acme", "", "Acme"},
		{"a request or an account names one", "Acme", "Shop", "Shop"},
		{"the carrier has none", "", "VERIFY", "VERIFY"},
	} {
		toml := "[[carrier]]\nname = \"k\"\ntype = \"kannel\"\nurl = \"" + s.URL + "/cgi-bin/sendsms\"\nusername = \"u\"\npassword = \"env:PASS\"\nsender = \"" + c.own + "\"\n"
		read, _ := settings(t, toml, "auto", environ()...)
		d := deps()
		d.Sender = "VERIFY"
		f, err := fleet.New(read, d)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		r := f.Router().Route(message.SMS, number(t), "")[0].Submit(t.Context(), delivery.Message{
			Dedupe: "d1", Recipient: number(t), Code: otp.NewCode("482913"), Expires: time.Now().Add(time.Minute), Try: 1,
			Step: delivery.Step{Channel: message.SMS, Sender: c.sender, Text: message.Parse("Code {c}", []message.Placeholder{{Token: "{c}", Code: true}})},
		})
		if r.Class != delivery.Accepted || from != c.want {
			t.Errorf("%s: Submit = %+v from %q; want it accepted from %q", c.name, r, from, c.want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	}
}
