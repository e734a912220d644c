package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// crowd sends to twenty others, so that the wall has no room for older phones.
func (s *site) crowd() {
	s.t.Helper()
	for i := range 20 {
		s.arrive("acme", fmt.Sprintf("+336123456%02d", i), message.SMS, "Elsewhere #")
	}
}

func TestEveryPhoneOpensByItsNumberAlsoForSupport(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	s.arrive("acme", "jo@example.com", message.Email, "Your code is #")
	s.arrive("other", "+447400123456", message.SMS, "Your code is #")
	s.crowd()
	for _, role := range []access.Role{access.Owner, access.Support} {
		b := s.entered(role)
		b.get(http.StatusOK, "/phones").lacks(t, s.keyOf(someNumber)).has(t, "Another phone")
		for typed, to := range map[string]string{"+49 151 12345678": someNumber, someNumber: someNumber, "jo@example.com": "jo@example.com"} {
			a := b.post(http.StatusSeeOther, "/phones", "/phones/open", "number", typed)
			if want := "/console/phones/" + s.keyOf(to); a.location() != want {
				t.Errorf("%q leads to %s, want %s", typed, a.location(), want)
			}
		}
		b.get(http.StatusOK, "/phones/"+s.keyOf(someNumber)).has(t, "483920")
		for typed, reason := range map[string]string{
			"nobody": "This is neither a phone number", "": "This is neither a phone number", "@": "This is neither a phone number",
			"+447400123456": "Nothing came to it", // to another account's something did
		} {
			a := b.post(http.StatusUnprocessableEntity, "/phones", "/phones/open", "number", typed)
			a.has(t, `id="p-number"`, reason)
			if n := strings.Count(a.body, `data-testid="problems"`); n != 1 {
				t.Errorf("%q: the reason is shown %d times", typed, n)
			}
		}
	}
	if a := s.entered(access.Support).get(http.StatusSeeOther, "/phones/open"); a.location() != "/console/phones" {
		t.Errorf("the form's address leads to %s", a.location())
	}
}

func TestAnOTPLeadsToThePhoneThatItWasSentTo(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.sends("acme", "o1", someNumber, "")
	s.says("acme", "o1", 1, sandbox.Name, takes("r1"))
	s.sends("acme", "o2", someNumber, "")
	s.says("acme", "o2", 1, "another", takes("r2"))
	b := s.entered(access.Support)
	link := regexp.MustCompile(`href="(/console/phones/open\?otp=[^"]*)">Open its phone`)
	found := link.FindStringSubmatch(b.get(http.StatusOK, "/otps/o1").body)
	if found == nil {
		t.Fatal("the page of an OTP that the sandbox took has no link to the phone")
	}
	if a := b.get(http.StatusSeeOther, found[1]); a.location() != "/console/phones" {
		t.Errorf("before a message is on the phone, its link leads to %s", a.location())
	}
	b.get(http.StatusOK, "/phones").has(t, "No message of this OTP is on a phone")
	to, err := phone.ParseRecipient(someNumber)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.inbox.Put(t.Context(), delivery.Message{
		Dedupe: uuid.NewString(), Account: "acme", OTPID: "o1", Recipient: to, Code: otp.NewCode("483920"),
		Step: delivery.Step{Channel: message.SMS, Text: message.Parse("code", nil)},
	}); err != nil {
		t.Fatal(err)
	}
	s.crowd()
	if a := b.get(http.StatusSeeOther, found[1]); a.location() != "/console/phones/"+s.keyOf(someNumber) {
		t.Errorf("the link leads to %s, want the phone", a.location())
	}
	b.get(http.StatusOK, "/otps/o2").lacks(t, "Open its phone")
	s.sandboxed.Store(false)
	b.get(http.StatusOK, "/otps/o1").lacks(t, "Open its phone")
}

func TestEveryPhoneIsNamedByItsNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	for role, name := range map[access.Role]string{access.Owner: "Phone &#43;4915112345678", access.Support: "Phone &#43;49…78"} {
		b := s.entered(role)
		for _, path := range []string{"/phones", "/phones/wall", "/phones/" + s.keyOf(someNumber), "/phones/" + s.keyOf(someNumber) + "/screen"} {
			b.get(http.StatusOK, path).has(t, `data-testid="phone" aria-label="`+name+`"`)
		}
	}
}
