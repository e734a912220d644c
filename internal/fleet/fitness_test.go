package fleet_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

func TestTheKeysAboutSMSWorkAtEveryType(t *testing.T) {
	t.Parallel()
	var texts []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Text string `json:"text"`
			From string `json:"from"`
		}
		if body, err := io.ReadAll(r.Body); err != nil || json.Unmarshal(body, &m) != nil {
			t.Errorf("read %q: %v", body, err)
		}
		texts = append(texts, m.From+": "+m.Text)
	}))
	t.Cleanup(s.Close)
	read, _ := settings(t, webhookTOML(s.URL)+"max_segments = 1\nwebotp_domain = \"example.com\"\n", "auto", environ()...)
	f, err := fleet.New(read, deps())
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
	c := f.Router().Route(message.SMS, number(t), "")[0]
	submit := func(words, sender string) delivery.Result {
		return c.Submit(t.Context(), delivery.Message{
			Dedupe: "d1", Recipient: number(t), Code: otp.NewCode("482913"), Expires: time.Now().Add(time.Minute), Try: 1,
			Step: delivery.Step{
				Channel: message.SMS, Sender: sender, Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
			},
		})
	}
	if r := submit("Code {code}", "Acme"); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if r := submit("{code}", "A sender too long"); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if r := submit(strings.Repeat("x", 160)+"{code}", "Acme"); r.Class != delivery.Permanent || r.Failure.Code != "segments" {
		t.Errorf("Submit = %+v; want Permanent, segments", r)
	}
	if got, want := strings.Join(texts, "|"), "Acme: Code 482913\n@example.com #482913|: 482913\n@example.com #482913"; got != want {
		t.Errorf("the receiver read %q; want %q", got, want)
	}
}

func TestMaxSegmentsCountsThePartsThatTheCarrierMakes(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel() // nothing is bound, and nobody waits for it: a message that is not refused is unreachable
	for long, want := range map[string]string{"udh": delivery.Unreachable.Code, "udh16": "segments", "sar": "segments"} {
		read, _ := settings(t, smppTOML("s", `max_segments = 2`, `long = "`+long+`"`), "auto", environ()...)
		f, err := fleet.New(read, deps())
		if err != nil {
			t.Fatal(err)
		}
		r := f.Router().Route(message.SMS, number(t), "")[0].Submit(over, delivery.Message{
			Dedupe: "d1", Recipient: number(t), Expires: time.Now().Add(time.Minute), Try: 1,
			Step: delivery.Step{Channel: message.SMS, Sender: "Acme", Text: message.Parse(strings.Repeat("x", 306), nil)},
		})
		if r.Failure.Code != want {
			t.Errorf("%s: Submit = %+v; want it to fail with %s", long, r, want)
		}
	}
}

func TestWrongKeysAboutSMSAreNamed(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]string{
		"max_segments = 999\n":                       `:7: carrier "w": max_segments: is 999`,
		"android_hash = \"short\"\n":                 `:7: carrier "w": android_hash: is "short"`,
		"unfit_sender = \"drop\"\n":                  `:7: carrier "w": unfit_sender: is "drop"`,
		"channels = [\"VIBER\"]\nmax_segments = 2\n": `:8: carrier "w": max_segments: has a meaning for SMS only`,
	} {
		s, path := settings(t, webhookTOML("http://127.0.0.1:1/")+more, "auto", environ()...)
		if _, err := fleet.New(s, deps()); err == nil || !strings.Contains(err.Error(), path+want) {
			t.Errorf("%s gives %v; want %s", more, err, want)
		}
	}
}
