package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

const secretCode = "739152"

// sends an OTP of an account by SMS, then by voice.
func (s *site) sends(account, id, to, reference string) {
	s.t.Helper()
	s.sendsOver("v4", account, id, to, reference)
}

// sendsOver is sends over the API of a name.
func (s *site) sendsOver(origin, account, id, to, reference string) {
	s.t.Helper()
	recipient, err := phone.ParseRecipient(to)
	if err != nil {
		s.t.Fatal(err)
	}
	text := message.Parse("code #", []message.Placeholder{{Token: "#", Code: true}})
	n := verify.NewOTP{
		Ref: verify.Ref{Account: account, Origin: origin, ID: id}, Recipient: recipient, RecipientKey: verify.RecipientKey(s.keys, account, recipient),
		Reference: reference, Allowed: 3, Life: 5 * time.Minute, Rule: otp.Rule{Length: len(secretCode)}, Dedupe: uuid.NewString(),
		Plan: delivery.Plan{Steps: []delivery.Step{
			{Channel: message.SMS, Name: "login", Text: text, Wait: time.Minute}, {Channel: message.Voice, Text: text, Wait: time.Minute},
		}},
		Sealed: s.keys.Seal([]byte(secretCode), "otp", account, id),
	}
	n.Key, n.Digest = otp.Hash(s.keys, otp.Subject{Account: account, ID: id}, n.Rule, otp.NewCode(secretCode))
	if _, err := s.store.CreateOTP(s.t.Context(), n); err != nil {
		s.t.Fatal(err)
	}
}

// says records what a carrier said of a delivery.
func (s *site) says(account, id string, seq int, carrier string, r delivery.Result) {
	s.t.Helper()
	at := s.wall.Now()
	o := delivery.SubmitOutcome{
		Key: delivery.Key{Account: account, OTPID: id, Seq: seq}, Carrier: carrier, Result: r,
		Tries: []delivery.Try{
			{Carrier: "sleepy", At: at, Passed: delivery.PassedClosed, Failure: otp.Failure{Area: "carrier", Code: "11", Text: "No balance"}, Place: 1, Of: 2},
			{Carrier: carrier, At: at, Took: 31 * time.Millisecond, Class: r.Class, Failure: r.Failure, Place: 2, Of: 2},
		},
	}
	if _, err := s.store.RecordSubmits(s.t.Context(), []delivery.SubmitOutcome{o}); err != nil {
		s.t.Fatal(err)
	}
}

// types checks a code.
func (s *site) types(account, id, code string) {
	s.t.Helper()
	guess := otp.NewGuess(s.keys, otp.Subject{Account: account, ID: id}, otp.NewCode(code))
	if _, err := s.store.CountAttempt(s.t.Context(), verify.Attempt{Ref: verify.Ref{Account: account, Origin: "v4", ID: id}, Guess: guess}); err != nil {
		s.t.Fatal(err)
	}
}

func takes(ref string) delivery.Result {
	return delivery.Result{Class: delivery.Accepted, Ref: ref}
}

func rejects() delivery.Result {
	return delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "Unknown subscriber"}}
}

var tag = regexp.MustCompile(`<[^>]*>|\s+`)

// words is a page as it is read.
func words(a answer) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(a.body, " "))), " ")
}

func (a answer) reads(t *testing.T, texts ...string) answer {
	t.Helper()
	read := words(a)
	for _, text := range texts {
		if !strings.Contains(read, text) {
			t.Errorf("the page does not read %q:\n%s", text, read)
		}
	}
	return a
}

func TestOneOTPHasItsWholeStoryOnOnePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	s.sends("acme", "o1", someNumber, "order 7")
	s.says("acme", "o1", 1, "first", rejects())
	s.wall.Add(2 * time.Second)
	s.says("acme", "o1", 2, "second", takes("r1"))
	s.wall.Add(time.Second)
	s.types("acme", "o1", "000000")
	b.get(http.StatusOK, "/otps/o1").reads(
		t, "OTP active", "second took the VOICE message and has not reported yet whether it arrived.", "1 wrong code was typed, 2 attempts are left.",
		"Reference order 7", "+4915112345678 DE", "Accepted By SMS, then VOICE",
		"SMS queued Template login.", "sleepy passed over: it needs the operator Carrier 1 of 2 in the route. Its last failure: No balance (carrier 11).",
		"first refused it for good 31.0 ms", "SMS message undeliverable Unknown subscriber (carrier 3). 2026-01-01 00:00:00 Fallback: VOICE queued",
		"second accepted the message 31.0 ms Carrier 2 of 2 in the route. Try 1. Its reference: r1. 2026-01-01 00:00:02 , 2.000 s after it was accepted",
		"second accepted the message", "A wrong code was typed", "What comes next, if nothing else does", "The OTP expires",
	).lacks(t, secretCode, "000000")
	s.wall.Add(9 * time.Second)
	s.types("acme", "o1", secretCode)
	b.get(http.StatusOK, "/otps/o1").reads(
		t, "OTP verified", "Verified: the right code was typed 10.0 s after second took the VOICE message, with attempt 2 of 3.",
	).lacks(t, secretCode, "What comes next")
	b.get(http.StatusOK, "/otps/o1/story", "HX-Request", "true").has(t, `<section id="story" data-live="otp:o1" data-live-url="/console/otps/o1/story">`).lacks(t, "<html")
}

func TestAStoryOfAnotherAccountIsNotThere(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	s.sends("other", "o1", someNumber, "")
	for _, path := range []string{"/otps/o1", "/otps/o1/story", "/otps/nobody"} {
		b.get(http.StatusNotFound, path).lacks(t, "timeline", "data-live")
	}
	b.get(http.StatusOK, "/otps").reads(t, "No OTP was sent yet.")
}

func TestASearchKeepsWhatIsPersonalOutOfItsAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	s.sends("acme", "mine", someNumber, "jo@example.com")
	s.sends("acme", "theirs", "+447400123456", "")
	for _, c := range []struct {
		name, field, value string
		found              bool
	}{
		{"a number", "number", "+49 151 12345678", true},
		{"a number with 00", "number", "004915112345678", true},
		{"a number without plus", "number", "4915112345678", true},
		{"another number", "number", "+4915112345679", false},
		{"a reference", "reference", "jo@example.com", true},
		{"an id", "id", "mine", true},
		{"a state", "state", "ACTIVE", true},
		{"another state", "state", "VERIFIED", false},
	} {
		at := b.post(http.StatusSeeOther, "/otps", "/otps", c.field, c.value).location()
		if query, err := url.QueryUnescape(at); err != nil || strings.Contains(query, "12345678") || strings.Contains(query, "example") {
			t.Errorf("%s: the search is at %s (%v)", c.name, at, err)
		}
		page := b.get(http.StatusOK, at)
		if got := strings.Contains(page.body, `href="/console/otps/mine"`); got != c.found {
			t.Errorf("%s %q: found = %v, want %v", c.name, c.value, got, c.found)
		}
		if c.field != "state" && strings.Contains(page.body, "otps/theirs") {
			t.Errorf("%s %q finds what was not searched for", c.name, c.value)
		}
	}
}

func TestWhatASearchCombinesMustAllBeTrue(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	s.sends("acme", "mine", someNumber, "order 7")
	for _, c := range []struct {
		fields []string
		found  bool
	}{
		{[]string{"id", "mine", "number", someNumber, "state", "ACTIVE", "reference", "order"}, true},
		{[]string{"id", "mine", "number", "+4915112345679"}, false},
		{[]string{"id", "mine", "reference", "order 8"}, false},
		{[]string{"id", "mine", "state", "EXPIRED"}, false},
	} {
		page := b.get(http.StatusOK, b.post(http.StatusSeeOther, "/otps", "/otps", c.fields...).location())
		if got := strings.Contains(page.body, `href="/console/otps/mine"`); got != c.found {
			t.Errorf("%v: found = %v, want %v", c.fields, got, c.found)
		}
	}
}

func TestASearchThatMakesNoSenseComesBackAsItWasTyped(t *testing.T) {
	t.Parallel()
	b := newSite(t, false).entered(access.Owner)
	for field, c := range map[string]struct{ value, reason string }{
		"number":  {"my phone", "This is neither a phone number nor an e-mail address."},
		"state":   {"SOLVED", "Choose one of the states."},
		"channel": {"PIGEON", "Choose one of the channels."},
		"from":    {"yesterday", "Give a date and a time"},
	} {
		b.post(http.StatusUnprocessableEntity, "/otps", "/otps", field, c.value, "reference", "kept").
			has(t, c.reason, `href="#f-`+field+`"`, `value="kept"`)
	}
	b.post(http.StatusUnprocessableEntity, "/otps", "/otps", "from", "2026-01-02T00:00", "to", "2026-01-01T00:00").has(t, "This is not after the beginning.")
	b.get(http.StatusUnprocessableEntity, "/otps?recipient=77")
	b.get(http.StatusUnprocessableEntity, "/otps?sealed=AAAA")
	b.get(http.StatusNotFound, "/otps?after=AAAA")
}

func TestPagesOfASearchGoOnWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	const n = 120
	for i := range n {
		s.sends("acme", fmt.Sprintf("o%d", i), someNumber, "")
	}
	older := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	seen := map[string]bool{}
	pages := 0
	for at := "/otps?state=ACTIVE"; at != ""; pages++ {
		page := b.get(http.StatusOK, at)
		for _, m := range regexp.MustCompile(`href="/console/otps/(o\d+)"`).FindAllStringSubmatch(page.body, -1) {
			if seen[m[1]] {
				t.Errorf("%s is on two pages", m[1])
			}
			seen[m[1]] = true
		}
		at = ""
		if m := older.FindStringSubmatch(page.body); m != nil {
			at = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(seen) != n || pages != 3 {
		t.Errorf("%d OTPs on %d pages, want %d on 3", len(seen), pages, n)
	}
}

func TestSupportSeesNumbersMaskedAndMayLookWithATrace(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Support)
	s.sends("acme", "o1", someNumber, "")
	for _, path := range []string{"/otps", "/otps/o1", "/otps/o1/story"} {
		b.get(http.StatusOK, path).reads(t, "+49…78").lacks(t, someNumber, strings.TrimPrefix(someNumber, "+"))
	}
	ref := regexp.MustCompile(`name="ref" value="([^"]+)"`).FindStringSubmatch(b.get(http.StatusOK, "/otps/o1").body)[1]
	b.post(http.StatusOK, "/otps/o1", "/unmask", "ref", ref).reads(t, someNumber)
	if !strings.Contains(s.audited(), "unmask") {
		t.Error("nothing in the audit list tells of the unmasking")
	}
}
