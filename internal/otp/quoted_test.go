package otp_test

import (
	"testing"

	"github.com/countersign/countersign/internal/otp"
)

func TestACodeIsFoundInWhatSomebodyElseWrote(t *testing.T) {
	t.Parallel()
	h, s := hasher{1}, otp.Subject{Account: "acme", ID: "o1"}
	numeric, letters := issue(h, s, otp.Exact, "004217"), issue(h, s, otp.Folded, "ab3x")
	bound := numeric
	bound.Rule.Bound = true
	for _, c := range []struct {
		of   otp.OTP
		text string
		want bool
	}{
		{numeric, "004217", true},
		{numeric, "x004217.4915112345678", true},
		{numeric, "err-10042170", true},
		{numeric, "131026", false},
		{numeric, "04217", false},
		{numeric, "", false},
		{letters, "E-AB3X", true},
		{letters, "ab3y", false},
		{bound, "131026", true}, // for all that can be known
		{bound, "30007", false},
		{bound, "smpp 0x0b", false},
	} {
		if got := otp.Quoted(h, s, c.of, c.text); got != c.want {
			t.Errorf("Quoted(%q) = %v, want %v", c.text, got, c.want)
		}
	}
	if otp.Quoted(hasher{2}, s, numeric, "004217") {
		t.Error("a code was found without its key")
	}
}
