package twilio_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/countersign/countersign/internal/carrier/npmtest"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/message"
)

// npmPackage is Twilio's own library for servers.
const npmPackage = "twilio@6.2.0"

// library is Twilio's library in a process of its own.
type library struct{ node *npmtest.Process }

func startLibrary(t testing.TB) *library {
	t.Helper()
	return &library{npmtest.Start(t, npmtest.Modules(t, npmPackage), "testdata/twilio.cjs")}
}

func (l *library) do(t testing.TB, what string, question, reply any) {
	t.Helper()
	if err := json.NewEncoder(l.node.In).Encode(map[string]any{what: question}); err != nil {
		t.Fatal(err)
	}
	l.node.Hear(t, reply)
}

// params are a form as the library wants it: lists only where they are needed.
func params(form url.Values) map[string]any {
	all := map[string]any{}
	for name, values := range form {
		if all[name] = values[0]; len(values) > 1 {
			all[name] = values
		}
	}
	return all
}

func (l *library) sign(t testing.TB, token, address string, form url.Values) string {
	t.Helper()
	var reply struct{ Signature string }
	l.do(t, "sign", map[string]any{"token": token, "url": address, "params": params(form)}, &reply)
	if reply.Signature == "" {
		t.Fatal("Twilio's library made no signature")
	}
	return reply.Signature
}

// forms are bodies of callbacks, with what may trip a signature.
func forms() map[string]url.Values {
	base := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}, "AccountSid": {account}, "To": {recipient}, "From": {"+15005550006"}}
	with := func(name string, values ...string) url.Values {
		form := maps.Clone(base)
		form[name] = values
		return form
	}
	return map[string]url.Values{
		"plain":           base,
		"empty value":     with("ErrorMessage", ""),
		"unicode":         with("ProfileName", "Ada Łukasz 李 😀"),
		"plus and blanks": with("Text", "a+b c%20d&e=f"),
		"lower case name": with("smsStatus", "delivered"),
		"digits in names": maps.Clone(with("MediaUrl10", "x")),
		"a name twice":    with("Event", "b", "a", "b"),
		"line break":      with("Text", "a\r\nb"),
		"underscore":      with("A_b", "1"),
	}
}

func TestSignaturesOfTwiliosOwnLibraryAreTaken(t *testing.T) {
	t.Parallel()
	l := startLibrary(t)
	s := start(t, nil)
	for name, form := range forms() {
		for _, target := range []string{publicURL + "?d=" + dedupe, publicURL, publicURL + "?d=" + dedupe + "&x=%C3%A4%20+'"} {
			signature := l.sign(t, token, target, form)
			if w := post(t, s.Carrier, call{target: target, body: form.Encode(), signature: signature}); w.Code != http.StatusOK {
				t.Errorf("%s at %s: answered with %d; want 200", name, target, w.Code)
			}
			stranger := l.sign(t, "another token", target, form)
			if w := post(t, s.Carrier, call{target: target, body: form.Encode(), signature: stranger}); w.Code != http.StatusForbidden {
				t.Errorf("%s at %s, another token: answered with %d; want 403", name, target, w.Code)
			}
			changed := maps.Clone(form)
			changed["MessageStatus"] = []string{"read"}
			if w := post(t, s.Carrier, call{target: target, body: changed.Encode(), signature: signature}); w.Code != http.StatusForbidden {
				t.Errorf("%s at %s, changed: answered with %d; want 403", name, target, w.Code)
			}
		}
	}
	if got, want := len(s.received()), 3*len(forms()); got != want {
		t.Errorf("%d receipts; want %d", got, want)
	}
}

// What these tests sign with is Twilio's algorithm too.
func TestTwiliosOwnLibraryTakesOurDoublesSignatures(t *testing.T) {
	t.Parallel()
	l := startLibrary(t)
	for name, form := range forms() {
		if name == "a name twice" {
			continue // the double's forms have no such name
		}
		target := publicURL + "?d=" + dedupe
		for given, want := range map[string]bool{token: true, "another token": false} {
			var reply struct{ Valid bool }
			l.do(t, "validate", map[string]any{"token": token, "url": target, "params": params(form), "signature": sign(given, target, form)}, &reply)
			if reply.Valid != want {
				t.Errorf("%s signed with %q: valid = %v; want %v", name, given, reply.Valid, want)
			}
		}
	}
}

func TestCallbacksOfJSONAreTakenAsTwiliosOwnLibraryTakesThem(t *testing.T) {
	t.Parallel()
	l := startLibrary(t)
	s := start(t, nil)
	const body = `{"MessageSid":"SM1","MessageStatus":"delivered"}`
	for name, c := range map[string]struct {
		digested string
		want     int
	}{
		"right":        {body, http.StatusOK},
		"another body": {body + " ", http.StatusForbidden},
	} {
		target := publicURL + "?d=" + dedupe + "&" + digestOf(c.digested)
		signature := l.sign(t, token, target, nil)
		if w := post(t, s.Carrier, call{target: target, body: body, kind: "application/json", signature: signature}); w.Code != c.want {
			t.Errorf("%s: answered with %d; want %d", name, w.Code, c.want)
		}
		var reply struct{ Valid bool }
		l.do(t, "validate", map[string]any{"token": token, "url": target, "body": body, "signature": signature}, &reply)
		if reply.Valid != (c.want == http.StatusOK) {
			t.Errorf("%s: valid = %v for Twilio's library", name, reply.Valid)
		}
	}
}

func TestTheWordsOfACallAreThoseThatTwiliosOwnLibraryWrites(t *testing.T) {
	t.Parallel()
	l := startLibrary(t)
	const said = `Tom & "Jerry" <say>: {code} – 'äöü' 😀`
	for language, voice := range map[string]string{"de": "", "en_GB": "female", "ta": ""} {
		s := start(t, func(c *twilio.Config, _ *twilio.Deps) { c.InlineVoice = true })
		m := text(t, message.Voice, said)
		m.Step.Language, m.Step.Voice = language, voice
		s.submit(t, m)
		attributes := map[string]string{"language": map[string]string{"de": "de-DE", "en_GB": "en-GB", "ta": "ta-IN"}[language]}
		if voice != "" {
			attributes["voice"] = "woman"
		}
		var reply struct{ TwiML string }
		l.do(t, "say", map[string]any{"attributes": attributes, "words": fmt.Sprintf(`Tom & "Jerry" <say>: %s – 'äöü' 😀`, "8, 0, 4, 2, 7, 5, 1, 9")}, &reply)
		got, want := elements(t, s.last(t).form.Get("Twiml")), elements(t, reply.TwiML)
		if !slices.Equal(got, want) {
			t.Errorf("TwiML in %s\n got %q\nwant %q", language, got, want)
		}
	}
}
