package verify_test

import (
	"crypto/rand"
	"testing"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/verify"
)

func TestWhatACarrierWroteIsSearchedForCodeNumberAndAddress(t *testing.T) {
	t.Parallel()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	of := func(to string) verify.Record {
		var r verify.Record
		r.Account, r.ID = "acme", "o1"
		r.Rule = otp.Rule{Length: 6}
		r.Key, r.Digest = otp.Hash(keys, otp.Subject{Account: "acme", ID: "o1"}, r.Rule, otp.NewCode("483920"))
		if to != "" {
			if r.Recipient, err = phone.ParseRecipient(to); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	number, address, short := of("+4915112345678"), of("ada.lovelace@gmail.com"), of("al@gmail.com")
	for _, c := range []struct {
		of   verify.Record
		text string
		want bool
	}{
		{number, "483920", true},
		{number, "48-39-20", true},
		{number, "4_8.3 9-2.0", true},
		{number, "err.483920-1", true},
		{number, "48-39-21", false},
		{number, "0151-123-45-678", true},
		{number, "2345678", true},
		{number, "345678", false},
		{number, "131026", false},
		{number, "", false},
		{address, "ada.lovelace", true},
		{address, "no-ADA-LOVELACE", true},
		{address, "ada.lovelace_gmail.com", true},
		{address, "lovelace", false},
		{address, "gmail.com", false},
		{address, "mail.com-550", false},
		{address, "550-5.1.1", false},
		{address, "48-39-20", true},
		{short, "al", false},
		{short, "invalid", false},
		{short, "al-gmail.com", true},
		{of(""), "131026", false},
		{of(""), "48-39-20", true},
	} {
		if got := verify.Quotes(keys)(c.of, c.text); got != c.want {
			t.Errorf("%q quotes what is of %q: %v, want %v", c.text, c.of.Recipient.Reveal(), got, c.want)
		}
	}
}
