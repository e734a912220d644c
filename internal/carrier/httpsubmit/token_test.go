package httpsubmit_test

import (
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestWhatQuotesTheCodeOrTheNumberIsNoReason(t *testing.T) {
	t.Parallel()
	to, err := phone.FromE164("+491712345678")
	if err != nil {
		t.Fatal(err)
	}
	m := delivery.Message{Recipient: to.Recipient(), Code: otp.NewCode(canary)}
	for text, want := range map[string]string{
		"E-17_b.2":              "E-17_b.2",
		" 30005 ":               "30005",
		canary:                  "",
		"bad-" + canary + ".":   "",
		"491712345678":          "",
		"to_491712345678":       "",
		"no such recipient":     "",
		"":                      "",
		strings.Repeat("x", 32): strings.Repeat("x", 32),
		strings.Repeat("x", 33): "",
	} {
		if got := httpsubmit.TokenOf(m, text); got != want {
			t.Errorf("TokenOf(%q) = %q; want %q", text, got, want)
		}
	}
	if got := httpsubmit.TokenOf(delivery.Message{}, "E17"); got != "E17" {
		t.Errorf("TokenOf of a message without code and recipient = %q; want E17", got)
	}
}

func TestWhatMayBeACodeOrANumberIsNotLogged(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"E-17_b.2": "E-17_b.2", " DELIVRD ": "DELIVRD", "404": "404", "a404b405": "a404b405", "": "", "no such status": "",
		"1234": "", "sent_" + canary: "", "+491712345678": "", "49-17-12": "", "x12.3_4x": "",
	} {
		if got := httpsubmit.LogToken(text); got != want {
			t.Errorf("LogToken(%q) = %q; want %q", text, got, want)
		}
	}
}
