package twilio_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// elements are a document's parts, in order, without regard to how they are
// escaped.
func elements(t testing.TB, document string) (parts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			part := []string{"<" + token.Name.Local}
			for _, a := range token.Attr {
				part = append(part, fmt.Sprintf("%s=%q", a.Name.Local, a.Value))
			}
			parts = append(parts, strings.Join(part, " "))
		case xml.EndElement:
			parts = append(parts, "/"+token.Name.Local)
		case xml.CharData:
			parts = append(parts, string(token))
		}
	}
}

// fetchOf is what Twilio asks for when the phone is picked up.
func fetchOf(address, token string, form url.Values) call {
	target := withoutFragment(address)
	return call{target: target, body: form.Encode(), signature: sign(token, target, form)}
}

func picked() url.Values {
	return url.Values{"CallSid": {"CA1"}, "CallStatus": {"in-progress"}, "AccountSid": {account}}
}

func TestOnlyALineThatIsCalledMayBeBusy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		channel message.Channel
		want    bool
	}{{message.Voice, true}, {message.SMS, false}, {message.WhatsApp, false}} {
		s := start(t, nil)
		if got := s.submit(t, text(t, c.channel, "{code}")); got.Class != delivery.Accepted || got.MayBeBusy != c.want {
			t.Errorf("%s: Submit = %+v; want Accepted, may be busy: %t", c.channel, got, c.want)
		}
	}
	s := start(t, nil)
	s.script(refusal(http.StatusBadRequest, 21217))
	if got := s.submit(t, text(t, message.Voice, "{code}")); got.MayBeBusy {
		t.Errorf("Submit = %+v; want no line that may be busy", got)
	}
}

func TestAnyNodeSaysWhatAnotherNodesCallIsToSay(t *testing.T) {
	t.Parallel()
	first, second := start(t, nil), start(t, nil)
	first.submit(t, text(t, message.Voice, "Dein Code: {code}."))
	w := post(t, second.Carrier, fetchOf(first.last(t).form.Get("Url"), token, picked()))
	say := `<?xml version="1.0" encoding="UTF-8"?><Response>` + strings.Repeat(`<Pause length="1"/><Say language="de-DE">Dein Code: 8, 0, 4, 2, 7, 5, 1, 9.</Say>`, 2) + `</Response>`
	if w.Code != http.StatusOK || w.Body.String() != say || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/xml") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("fetch: %d %v\n%s\nwant\n%s", w.Code, w.Header(), w.Body, say)
	}
	if got := second.received(); len(got) != 0 {
		t.Errorf("receipts = %v; want none of a fetch", got)
	}
	if first.last(t).form.Get("StatusCallback") == first.last(t).form.Get("Url") || strings.Contains(second.lines(), code) {
		t.Errorf("the log holds the code:\n%s", second.lines())
	}
}

func TestTheWordsAreOnlyToldToTwilioInTimeAndToAPerson(t *testing.T) {
	t.Parallel()
	now := clock()
	s := start(t, func(c *twilio.Config, d *twilio.Deps) {
		c.MachineDetection = true
		d.Now = func() time.Time { return now }
	})
	s.submit(t, text(t, message.Voice, "{code}"))
	address := s.last(t).form.Get("Url")
	const hungUp = "[<Response <Hangup /Hangup /Response]"
	hears := func(name string, p call, status int, want string) {
		t.Helper()
		w := post(t, s.Carrier, p)
		if w.Code != status || strings.Contains(w.Body.String(), "8, 0") {
			t.Errorf("%s: %d %s; want %d without the code", name, w.Code, w.Body, status)
		}
		if got := fmt.Sprint(elements(t, w.Body.String())); got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
	hears("another token", fetchOf(address, "another token", picked()), http.StatusForbidden, "[]")
	hears("no signature", call{target: withoutFragment(address), body: picked().Encode()}, http.StatusForbidden, "[]")
	machine := picked()
	machine.Set("AnsweredBy", "machine_start")
	hears("a machine", fetchOf(address, token, machine), http.StatusOK, hungUp)
	broken := strings.Replace(address, "say=", "say=A", 1)
	hears("a document that is not ours", fetchOf(broken, token, picked()), http.StatusBadRequest, "[]")
	hears("no document", fetchOf(publicURL+"?say=x", token, picked()), http.StatusBadRequest, "[]")
	now = now.Add(5 * time.Minute)
	hears("too late", fetchOf(address, token, picked()), http.StatusOK, hungUp)
	now = now.Add(-time.Minute)
	if w := post(t, s.Carrier, fetchOf(address, token, picked())); !strings.Contains(w.Body.String(), "8, 0, 4") {
		t.Errorf("in time: %d %s; want the code", w.Code, w.Body)
	}
}

func TestACallUnderWayWhenTheTokenChangesIsStillSpoken(t *testing.T) {
	t.Parallel()
	before := start(t, nil)
	before.submit(t, text(t, message.Voice, "{code}"))
	const fresh = "f1e1df1e1df1e1df1e1df1e1df1e1df1"
	after := start(t, func(c *twilio.Config, _ *twilio.Deps) {
		c.AuthToken, c.PreviousAuthToken = setting.NewSecret(fresh), setting.NewSecret(token)
	})
	for _, signedWith := range []string{token, fresh} {
		w := post(t, after.Carrier, fetchOf(before.last(t).form.Get("Url"), signedWith, picked()))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "8, 0, 4") {
			t.Errorf("signed with %s: %d %s; want the code", signedWith, w.Code, w.Body)
		}
	}
}

func TestLanguagesAndVoices(t *testing.T) {
	t.Parallel()
	voices := map[string]string{"fr-FR": "Polly.Lea", "es-ES/male": "Polly.Sergio", "ru-RU": "Google.ru-RU-Standard-A"}
	for _, c := range []struct{ language, gender, wantLanguage, wantVoice string }{
		{"de", "", "de-DE", ""},
		{"de", "male", "de-DE", "man"},
		{"en_GB", "female", "en-GB", "woman"},
		{"EN", "", "en-US", ""},
		{"fr_fr", "male", "fr-FR", "Polly.Lea"},
		{"es", "male", "es-ES", "Polly.Sergio"},
		{"es", "female", "es-ES", "woman"},
		{"es-LA", "", "es-MX", ""},
		{"pl-PL", "female", "pl-PL", ""},
		{"ru", "", "ru-RU", "Google.ru-RU-Standard-A"},
		{"zh_CN", "", "cmn-CN", ""},
		{"ar", "", "arb", ""},
		{"", "", "", ""},
		{`de"><Hangup/>`, "", "", ""},
		{"de-DE-1996", "", "de-DE", ""},
	} {
		s := start(t, func(cfg *twilio.Config, _ *twilio.Deps) { cfg.InlineVoice, cfg.Voices = true, voices })
		m := text(t, message.Voice, "{code}")
		m.Step.Language, m.Step.Voice = c.language, c.gender
		s.submit(t, m)
		twiml := s.last(t).form.Get("Twiml")
		want := "<Say"
		if c.wantLanguage != "" {
			want += fmt.Sprintf(" language=%q", c.wantLanguage)
		}
		if c.wantVoice != "" {
			want += fmt.Sprintf(" voice=%q", c.wantVoice)
		}
		if got := elements(t, twiml)[3]; got != want {
			t.Errorf("%q, %q: %s; want %s", c.language, c.gender, got, want)
		}
		if breaks, ssml := strings.Count(twiml, "<break "), strings.Contains(c.wantVoice, "."); ssml != (breaks == 14) || !ssml && breaks != 0 {
			t.Errorf("%q, %q: %d pauses; want 14 with a voice that knows them, else none", c.language, c.gender, breaks)
		}
	}
}
