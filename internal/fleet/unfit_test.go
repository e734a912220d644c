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

// running returns the carrier of a configuration, which runs until the test's
// end, on a server that names sender where nobody else does.
func running(t *testing.T, toml, sender string) delivery.Carrier {
	t.Helper()
	read, _ := settings(t, toml, "auto", environ()...)
	d := deps()
	d.Sender = func(c message.Channel) string { return map[message.Channel]string{message.SMS: sender}[c] }
	f, err := fleet.New(read, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	})
	return f.Router().Route(message.SMS, number(t), "")[0]
}

// from returns an SMS with a sender.
func from(t *testing.T, sender string) delivery.Message {
	t.Helper()
	return delivery.Message{
		Dedupe: "d1", Account: "shop", Recipient: number(t), Code: otp.NewCode("482913"), Expires: time.Now().Add(time.Minute), Try: 1,
		Step: delivery.Step{
			Channel: message.SMS, Sender: sender, Text: message.Parse("Code {c}", []message.Placeholder{{Token: "{c}", Code: true}}),
		},
	}
}

// An account that names a sender of no form gets what one without a sender gets,
// and what becomes of that is its own affair (D-14).
func TestAnUnfitSenderIsReplacedAndItsRefusalTheAccounts(t *testing.T) {
	t.Parallel()
	const long = "Thirteen long" // characters; eleven are a sender
	for _, c := range []struct {
		name, own, servers, sender string
		want                       string // whom the gateway reads it from
		refused                    bool
		fault                      bool // the message's own
	}{
		{"the server's stands in", "", "VERIFY", long, "VERIFY", false, false},
		{"the carrier's own goes before it", "Acme", "VERIFY", long, "Acme", false, false},
		{"the server's is refused", "", "BAD", long, "BAD", true, true},
		{"the server's is refused, and nobody asked for another", "", "BAD", "BAD", "BAD", true, false},
		{"the server has none", "", "", long, "", true, true},
		{"the server has none, and nobody asked for one", "", "", "", "", true, false},
		{"the server's does not fit either", "", long + "er", long, "", true, true},
		{"the server's does not fit, and nobody asked for another", "", long, long, "", true, false},
		{"the carrier's own is refused", "BAD", "VERIFY", long, "BAD", true, false},
		{"nobody asked for one", "", "VERIFY", "", "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := "nobody asked"
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got = r.FormValue("from"); got == "" || got == "BAD" {
					w.WriteHeader(http.StatusForbidden)
				}
			}))
			t.Cleanup(s.Close)
			toml := "[[carrier]]\nname = \"g\"\ntype = \"request\"\nallow_private = true\ncontent_type = \"form\"\nsender = \"" + c.own + "\"\nurl = \"" + s.URL + "/\"\n" +
				"body = \"from={sender}&to={to}&text={text}\"\n"
			r := running(t, toml, c.servers).Submit(t.Context(), from(t, c.sender))
			if got != c.want || (r.Class == delivery.Config) != c.refused || r.Own != c.fault {
				t.Errorf("Submit = %+v from %q; want it from %q, refused: %t, the message's own fault: %t", r, got, c.want, c.refused, c.fault)
			}
		})
	}
}
