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
		d.Sender = func(message.Channel) string { return "VERIFY" }
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

// A sender of the server's that the provider refuses is nobody's own choice: the
// operator must act. What an account asks for is (D-14).
func TestARefusedSenderIsTheServersWhereItNamedIt(t *testing.T) {
	t.Parallel()
	twilio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"code":21210}`))
	}))
	t.Cleanup(twilio.Close)
	toml := "[[carrier]]\nname = \"t\"\ntype = \"twilio\"\naccount_sid = \"AC00000000000000000000000000000001\"\nauth_token = \"env:PASS\"\n" +
		"from = \"+15005550006\"\ncaller = \"+15005550006\"\nsenders = [\"*\"]\nbase_url = \"" + twilio.URL + "\"\n"
	read, _ := settings(t, toml, "auto", environ()...)
	d := deps()
	d.Sender = func(c message.Channel) string {
		return map[message.Channel]string{message.SMS: "VERIFY", message.Voice: "493012345678"}[c]
	}
	f, err := fleet.New(read, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	for _, c := range []struct {
		channel message.Channel
		sender  string
		own     bool
	}{
		{message.SMS, "VERIFY", false},
		{message.SMS, "Shop", true},
		{message.Voice, "493012345678", false},
		{message.Voice, "+493012345678", false},
		{message.Voice, "+493087654321", true},
		{message.Voice, "", false},
	} {
		r := f.Router().Route(c.channel, number(t), "")[0].Submit(t.Context(), delivery.Message{
			Dedupe: "d1", Recipient: number(t), Code: otp.NewCode("482913"), Expires: time.Now().Add(time.Minute), Try: 1,
			Step: delivery.Step{Channel: c.channel, Sender: c.sender, Text: message.Parse("Code {c}", []message.Placeholder{{Token: "{c}", Code: true}})},
		})
		if r.Class != delivery.Config || r.Own != c.own {
			t.Errorf("%s from %q: Submit = %+v; want Config, the message's own: %t", c.channel, c.sender, r, c.own)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v; want nil", err)
	}
}
