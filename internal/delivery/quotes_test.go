package delivery_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestAMessageIsQuotedHoweverItsCodeOrRecipientIsSpelled(t *testing.T) {
	t.Parallel()
	number, address, odd := recipient(t, "+4915112345678"), recipient(t, "ada.lovelace+otp@gmail.com"), recipient(t, "a_b@gmail.com")
	for _, c := range []struct {
		to         phone.Recipient
		code, text string
		want       bool
	}{
		{number, "4711", "4711", true},
		{number, "4711", "err-98471136", true},
		{number, "4711", "4-7_1.1", true},
		{number, "4711", "4 7/1:1", true},
		{number, "4711", "411", false},
		{number, "aB3x", "E-Ab3X", true},
		{number, "aB3x", "a-B-3-X", true},
		{number, "AB-CD", "ab-cd", true},
		{number, "AB-CD", "abcd", true},
		{number, "----", "any", false},
		{number, "4711", "invalid-0151.123.45678", true},
		{number, "4711", "2345678", true},
		{number, "4711", "345678", false},
		{number, "4711", "131026", false},
		{number, "4711", "", false},
		{number, "", "131026", false},
		{phone.Recipient{}, "4711", "131026", false},
		{phone.Recipient{}, "4711", "4711", true},
		{address, "4711", "ADA.Lovelace_otp", true},
		{address, "4711", "lovelace", false},
		{odd, "4711", "timeout", false},
		{odd, "4711", "no-a_b-gmail-com", true},
	} {
		m := delivery.Message{Recipient: c.to, Code: otp.NewCode(c.code)}
		if got := m.Quotes(c.text); got != c.want {
			t.Errorf("%q quotes the code %q or %q: %v, want %v", c.text, c.code, c.to.Reveal(), got, c.want)
		}
	}
}

func recipient(t *testing.T, text string) phone.Recipient {
	t.Helper()
	r, err := phone.ParseRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatACarrierQuotesOfOneMessageNobodyElseLearns(t *testing.T) {
	t.Parallel()
	const code = "Ab3x9Y"
	for _, quoted := range []string{code, "no-AB3X9Y-here", "ab3-x9y", "invalid-015112345678", "151-123-456-78"} {
		for name, r := range map[string]delivery.Result{
			"the operator must act":     {Class: delivery.Config},
			"the account is to blame":   {Class: delivery.Config, Own: true},
			"it may work later":         {Class: delivery.Retry},
			"no answer can be used":     {Class: delivery.Uncertain},
			"it will never work":        {Class: delivery.Permanent},
			"accepted, and then failed": {Class: delivery.Accepted, Ref: "r", Receipt: &delivery.Receipt{State: delivery.ReceiptUndeliverable}},
		} {
			why := otp.Failure{Area: delivery.AreaCarrier, Code: quoted, Text: "Refused"}
			if r.Receipt != nil {
				r.Receipt.Failure = why
			} else {
				r.Failure = why
			}
			t.Run(quoted+", "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { quotedTo(t, otp.NewCode(code), quoted, r) })
			})
		}
	}
}

// quotedTo has a carrier answer the messages of the account odd with r, which
// quotes them, and looks at everything that is learned of it.
func quotedTo(t *testing.T, code otp.Code, quoted string, r delivery.Result) {
	t.Helper()
	m, log := newMemory(), &bytes.Buffer{}
	m.account = accountFirst
	a := &carrier{name: "a", answer: func(_ context.Context, m delivery.Message) delivery.Result {
		if m.Account == "odd" {
			return r
		}
		return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
	}}
	cfg := config(m, routes{message.SMS: {a}})
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	cfg.Open = func(account, _ string, _ []byte) (otp.Code, error) {
		if account == "odd" {
			return code, nil
		}
		return otp.NewCode("771100"), nil
	}
	d, stop := run(t, cfg)
	m.send("odd-1", someone(t), 5*time.Minute, sms())
	d.Wake()
	time.Sleep(20 * time.Second) // a Retry is repeated until the circuit opens
	m.send("acme-1", recipient(t, "+4366412345001"), 5*time.Minute, sms())
	d.Wake()
	synctest.Wait()
	circuit := circuitOf(t, d)
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	var kept strings.Builder
	for _, e := range m.events {
		fmt.Fprintf(&kept, "event %s %+v\n", e.Kind, e.Failure)
	}
	for _, row := range m.rows {
		for _, try := range row.tries {
			fmt.Fprintf(&kept, "note %+v\n", try)
		}
	}
	for place, text := range map[string]string{"what is recorded": kept.String(), "the circuit": fmt.Sprintf("%+v", circuit), "the log": log.String()} {
		if strings.Contains(text, quoted) {
			t.Errorf("%q is in %s:\n%s", quoted, place, text)
		}
	}
	if r.Class == delivery.Config && !r.Own {
		want := otp.Failure{Area: delivery.AreaCarrier, Code: delivery.HiddenCode, Text: "Refused"}
		last := m.events[len(m.events)-1]
		if diff := cmp.Diff(&want, last.Failure); diff != "" || !strings.Contains(log.String(), "code="+delivery.HiddenCode) {
			t.Errorf("the other account's failure (-want +got):\n%s\nlog:\n%s", diff, log)
		}
	}
	if r.Receipt != nil && r.Receipt.Failure.Code != quoted {
		t.Error("the carrier's own receipt was changed")
	}
}
