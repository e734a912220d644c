package phone_test

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/countersign/countersign/internal/phone"
)

func TestParseAddressFoldsToLowerCase(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"user@example.com":                       "user@example.com",
		"First.Last+Tag@Mail.EXAMPLE.com":        "first.last+tag@mail.example.com",
		"root@localhost":                         "root@localhost",
		"o'neil@xn--mnchen-3ya.example":          "o'neil@xn--mnchen-3ya.example",
		"1@2.example":                            "1@2.example",
		strings.Repeat("a", 64) + "@example.com": strings.Repeat("a", 64) + "@example.com",
	} {
		a, err := phone.ParseAddress(input)
		if err != nil || a.Reveal() != want {
			t.Errorf("ParseAddress(%q) = %q, %v; want %q", input, a.Reveal(), err, want)
		}
	}
}

func TestParseAddressRefusesEverythingButAnAddrSpec(t *testing.T) {
	t.Parallel()
	for _, input := range []string{
		"", "@", "user", "user@", "@example.com", "User <user@example.com>", "<user@example.com>", " user@example.com",
		"user@example.com ", "user@example.com\r\nBcc: other@example.com", "user@exam\x00ple.com", "a@b@example.com",
		`"quoted user"@example.com`, `"user"@example.com`, "user(comment)@example.com", "user@[192.0.2.1]", "user@example.com.",
		"user@-example.com", "user@exa_mple.com", "user@example..com", ".user@example.com", "us..er@example.com",
		"usér@example.com", "user@exämple.com", "group:user@example.com;", "user@example.com,other@example.com",
		strings.Repeat("a", 65) + "@example.com", "user@" + strings.Repeat("a", 64) + ".com",
		"user@" + strings.Repeat("a.", 130) + "com",
	} {
		a, err := phone.ParseAddress(input)
		if !errors.Is(err, phone.ErrNotAnAddress) || !a.IsZero() {
			t.Errorf("ParseAddress(%q) = %q, %v; want ErrNotAnAddress", input, a.Reveal(), err)
		}
	}
}

func TestAnAddressIsMasked(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"user@mail.example.com": "u…@….com", "me@example.org": "…@….org", "root@localhost": "r…@…",
	} {
		a, err := phone.ParseAddress(input)
		if err != nil || a.String() != want {
			t.Errorf("ParseAddress(%q).String() = %q, %v; want %q", input, a, err, want)
		}
	}
	if got := (phone.Address{}).String(); got != "" {
		t.Errorf("zero Address prints %q, want nothing", got)
	}
}

func TestARecipientIsANumberOrAnAddress(t *testing.T) {
	t.Parallel()
	number, err := phone.ParseRecipient("+4915112345678")
	if n, ok := number.Number(); err != nil || !ok || n.Reveal() != "+4915112345678" || number.IsZero() {
		t.Errorf("recipient with a number: %q, %v, %v", n.Reveal(), ok, err)
	}
	if a, ok := number.Address(); ok || !a.IsZero() {
		t.Errorf("recipient with a number has the address %q", a.Reveal())
	}
	address, err := phone.ParseRecipient("user@example.com")
	if a, ok := address.Address(); err != nil || !ok || a.Reveal() != "user@example.com" || address.IsZero() {
		t.Errorf("recipient with an address: %q, %v, %v", a.Reveal(), ok, err)
	}
	if n, ok := address.Number(); ok || !n.IsZero() {
		t.Errorf("recipient with an address has the number %q", n.Reveal())
	}
	var nobody phone.Recipient
	if !nobody.IsZero() || nobody.Reveal() != "" || nobody.Key() != "" || nobody.String() != "" {
		t.Errorf("zero Recipient: %q, %q, %q", nobody.Reveal(), nobody.Key(), nobody)
	}
	if size := unsafe.Sizeof(nobody); size > 24 {
		t.Errorf("a Recipient takes %d bytes, want at most 24", size)
	}
}

func TestParseRecipientTakesOnlyTheStoredSpelling(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{"+4915112345678", "user@example.com", "+4915112345678@example.com"} {
		r, err := phone.ParseRecipient(stored)
		if err != nil || r.Reveal() != stored || r.Key() != stored {
			t.Errorf("ParseRecipient(%q) = %q, %v; want it back", stored, r.Reveal(), err)
		}
	}
	for _, stored := range []string{"", "4915112345678", "+49 15112345678", "User@example.com", "user@", "u…@….com", "+49…78"} {
		r, err := phone.ParseRecipient(stored)
		if !errors.Is(err, phone.ErrNotARecipient) || !r.IsZero() {
			t.Errorf("ParseRecipient(%q) = %q, %v; want ErrNotARecipient", stored, r.Reveal(), err)
		}
	}
}
