package twilio_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

const (
	delivered     = delivery.ReceiptDelivered
	undeliverable = delivery.ReceiptUndeliverable
	timedOut      = delivery.ReceiptTimedOut
)

func because(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

func TestStatusCallbacksAreReceipts(t *testing.T) {
	t.Parallel()
	final := func(state delivery.ReceiptState, why ...otp.Failure) []delivery.Receipt {
		r := delivery.Receipt{State: state}
		if len(why) > 0 {
			r.Failure = why[0]
		}
		return []delivery.Receipt{r}
	}
	busy := delivery.Receipt{State: undeliverable, Failure: because("busy", "The line is busy"), Busy: true}
	for _, c := range []struct {
		form string
		want []delivery.Receipt
	}{
		{"MessageStatus=accepted", nil},
		{"MessageStatus=scheduled", nil},
		{"MessageStatus=queued", nil},
		{"MessageStatus=sending", nil},
		{"MessageStatus=sent", nil},
		{"MessageStatus=partially_delivered", nil},
		{"MessageStatus=something_new", nil},
		{"MessageStatus=delivered", final(delivered)},
		{"MessageStatus=read", final(delivered)},
		{"MessageStatus=undelivered&ErrorCode=30005", final(undeliverable, because("30005", "The handset is unknown"))},
		{"MessageStatus=failed&ErrorCode=63999&ErrorMessage=about+491712345678", final(undeliverable, because("63999", "Twilio refused it"))},
		{"MessageStatus=failed", final(undeliverable, because("failed", "Twilio gave no reason"))},
		{"MessageStatus=failed&ErrorCode=x", final(undeliverable, because("failed", "Twilio gave no reason"))},
		{"MessageStatus=canceled", final(undeliverable, because("canceled", "Twilio gave no reason"))},
		{"MessageStatus=undelivered&ErrorCode=30036", final(timedOut, because("30036", "The message's time was over before it was sent"))},

		{"CallStatus=queued", nil},
		{"CallStatus=initiated", nil},
		{"CallStatus=ringing", nil},
		{"CallStatus=in-progress", nil},
		{"CallStatus=completed&CallDuration=6", final(delivered)},
		{"CallStatus=completed&CallDuration=6&AnsweredBy=human", final(delivered)},
		{"CallStatus=completed&CallDuration=5", final(undeliverable, because("short", "The call ended before the code was heard"))},
		{"CallStatus=completed", final(undeliverable, because("short", "The call ended before the code was heard"))},
		{"CallStatus=completed&CallDuration=40&AnsweredBy=machine_end_beep", final(undeliverable, because("machine", "A machine answered the call"))},
		{"CallStatus=completed&CallDuration=40&AnsweredBy=fax", final(undeliverable, because("machine", "A machine answered the call"))},
		{"CallStatus=busy", []delivery.Receipt{busy}},
		{"CallStatus=no-answer", final(timedOut, because("no-answer", "Nobody answered the call"))},
		{"CallStatus=canceled", final(undeliverable, because("canceled", "The call was cancelled"))},
		{"CallStatus=failed&SipResponseCode=404", final(undeliverable, because("404", "The call could not be made"))},
		{"CallStatus=failed", final(undeliverable, because("failed", "The call could not be made"))},
	} {
		s := start(t, nil)
		form, err := url.ParseQuery(c.form)
		if err != nil {
			t.Fatal(err)
		}
		ref := "SM1"
		if form.Has("CallStatus") {
			ref = "CA1"
			form.Set("CallSid", ref)
		} else {
			form.Set("MessageSid", ref)
		}
		w := tell(t, s.Carrier, form)
		for i := range c.want {
			c.want[i].Carrier, c.want[i].ID, c.want[i].Ref = "twilio", dedupe, ref
		}
		if diff := cmp.Diff(c.want, s.received()); diff != "" || w.Code != http.StatusOK {
			t.Errorf("%s: answered with %d, receipts (-want +got):\n%s", c.form, w.Code, diff)
		}
	}
}

func TestLeastListeningDecidesWhetherACallWasHeard(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *twilio.Config, _ *twilio.Deps) { c.LeastListening = 12 * time.Second })
	for _, d := range []string{"11", "12"} {
		tell(t, s.Carrier, url.Values{"CallSid": {"CA1"}, "CallStatus": {"completed"}, "CallDuration": {d}})
	}
	if got := s.received(); len(got) != 2 || got[0].State != undeliverable || got[1].State != delivered {
		t.Errorf("receipts = %+v; want 11 s undeliverable, 12 s delivered", got)
	}
}

// good is a callback that is taken.
func good() url.Values { return url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}} }

func TestForgedAndMalformedCallbacksChangeNothing(t *testing.T) {
	t.Parallel()
	target := publicURL + "?d=" + dedupe
	right := sign(token, target, good())
	signed := func(body string) call {
		form, _ := url.ParseQuery(body)
		return call{target: target, body: body, signature: sign(token, target, form)}
	}
	long := "MessageSid=" + strings.Repeat("x", 300<<10)
	for _, c := range []struct {
		name string
		call call
		want int
	}{
		{"no signature", call{target: target, body: good().Encode()}, http.StatusForbidden},
		{"an empty token's signature", call{target: target, body: good().Encode(), signature: sign("", target, good())}, http.StatusForbidden},
		{"another token", call{target: target, body: good().Encode(), signature: sign("another", target, good())}, http.StatusForbidden},
		{"another body", call{target: target, body: "MessageSid=SM2&MessageStatus=delivered", signature: right}, http.StatusForbidden},
		{"one more value", call{target: target, body: good().Encode() + "&MessageStatus=read", signature: right}, http.StatusForbidden},
		{"another query", call{target: publicURL + "?d=x", body: good().Encode(), signature: right}, http.StatusForbidden},
		{"the path's token alone changed", call{target: strings.Replace(target, "0123", "3210", 1), body: good().Encode(), signature: right}, http.StatusForbidden},
		{"the signature's case changed", call{target: target, body: good().Encode(), signature: strings.ToLower(right)}, http.StatusForbidden},
		{"GET", call{method: http.MethodGet, target: target, signature: sign(token, target, nil)}, http.StatusMethodNotAllowed},
		{"no form", call{target: target, body: "%zz", signature: right}, http.StatusBadRequest},
		{"JSON", call{target: target, body: `{"MessageSid":"SM1"}`, signature: right}, http.StatusForbidden},
		{"more than 256 KiB", call{target: target, body: long, signature: sign(token, target, url.Values{})}, http.StatusRequestEntityTooLarge},
		{"no id", signed("MessageStatus=delivered"), http.StatusBadRequest},
		{"no status", signed("MessageSid=SM1"), http.StatusBadRequest},
		{"empty", signed(""), http.StatusBadRequest},
		{"an id that is none", signed("MessageSid=" + strings.Repeat("S", 65) + "&MessageStatus=delivered"), http.StatusBadRequest},
		{"an id with a line break", signed("MessageSid=SM1%0A&MessageStatus=delivered"), http.StatusBadRequest},
	} {
		s := start(t, nil)
		if w := post(t, s.Carrier, c.call); w.Code != c.want || w.Body.Len() != 0 {
			t.Errorf("%s: answered with %d %q; want %d", c.name, w.Code, w.Body, c.want)
		}
		if got := s.received(); len(got) != 0 {
			t.Errorf("%s: receipts = %+v; want none", c.name, got)
		}
	}
}

// digestOf is what Twilio adds to a URL for a body of JSON.
func digestOf(body string) string { return fmt.Sprintf("bodySHA256=%x", sha256.Sum256([]byte(body))) }

func TestACallbackOfJSONIsSignedByItsURL(t *testing.T) {
	t.Parallel()
	const (
		body  = `{"MessageSid":"SM1","MessageStatus":"undelivered","ErrorCode":30005,"More":{"Price":null}}`
		other = `{"MessageSid":"SM1","MessageStatus":"delivered"}`
		form  = "application/x-www-form-urlencoded"
	)
	at := func(query string) string { return publicURL + "?d=" + dedupe + query }
	right := at("&" + digestOf(body))
	signed := func(target string) call {
		return call{target: target, body: body, kind: "application/json; charset=utf-8", signature: sign(token, target, nil)}
	}
	with := func(c call, change func(*call)) call {
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		call call
		want int
	}{
		"right":                  {signed(right), http.StatusOK},
		"capitals":               {signed(at("&bodySHA256=" + strings.ToUpper(strings.TrimPrefix(digestOf(body), "bodySHA256=")))), http.StatusOK},
		"another body":           {with(signed(right), func(c *call) { c.body = other }), http.StatusForbidden},
		"another body's digest":  {signed(at("&" + digestOf(other))), http.StatusForbidden},
		"a digest cut short":     {signed(right[:len(right)-2]), http.StatusForbidden},
		"a digest that is empty": {signed(at("&bodySHA256=")), http.StatusForbidden},
		"no hexadecimal":         {signed(at("&bodySHA256=zz")), http.StatusForbidden},
		"no digest":              {signed(at("")), http.StatusForbidden},
		"the digest put in after the signature": {with(signed(right), func(c *call) {
			c.signature = sign(token, at(""), nil)
		}), http.StatusForbidden},
		"another token": {with(signed(right), func(c *call) { c.signature = sign("another", right, nil) }), http.StatusForbidden},
		"no signature":  {with(signed(right), func(c *call) { c.signature = "" }), http.StatusForbidden},
		"sent as a form": {with(signed(right), func(c *call) {
			c.kind = form
		}), http.StatusForbidden},
		"no JSON":   {with(signed(at("&"+digestOf("{"))), func(c *call) { c.body = "{" }), http.StatusBadRequest},
		"no object": {with(signed(at("&"+digestOf("[]"))), func(c *call) { c.body = "[]" }), http.StatusBadRequest},
		"no status": {with(signed(at("&"+digestOf("{}"))), func(c *call) { c.body = "{}" }), http.StatusBadRequest},
	} {
		s := start(t, nil)
		var want []delivery.Receipt
		if c.want == http.StatusOK {
			want = []delivery.Receipt{{Carrier: "twilio", ID: dedupe, Ref: "SM1", State: undeliverable, Failure: because("30005", "The handset is unknown")}}
		}
		w := post(t, s.Carrier, c.call)
		if diff := cmp.Diff(want, s.received()); diff != "" || w.Code != c.want {
			t.Errorf("%s: answered with %d; want %d, receipts (-want +got):\n%s", name, w.Code, c.want, diff)
		}
	}
	// A form that comes with a digest in its URL is signed as forms are.
	s := start(t, nil)
	if w := post(t, s.Carrier, call{target: right, body: good().Encode(), signature: sign(token, right, good())}); w.Code != http.StatusOK {
		t.Errorf("a form: answered with %d; want 200", w.Code)
	}
}

func TestASignatureIsOverThePublicURLInAnyOfItsForms(t *testing.T) {
	t.Parallel()
	const path = "/carriers/twilio/receipts/0123456789abcdef"
	for _, c := range []struct{ public, signed string }{
		{"https://otp.example.com", "https://otp.example.com:443"},
		{"https://otp.example.com:443", "https://otp.example.com"},
		{"http://otp.example.com", "http://otp.example.com:80"},
		{"https://otp.example.com:8443", "https://otp.example.com:8443"},
		{"https://otp.example.com/below", "https://otp.example.com/below"},
	} {
		for _, rest := range []string{"", "#rc=5&rp=5xx,ct,rt"} {
			s := start(t, func(_ *twilio.Config, d *twilio.Deps) { d.ReceiptURL = c.public + path })
			query := "?d=" + dedupe
			w := post(t, s.Carrier, call{target: "http://10.0.0.7:8080" + path + query, body: good().Encode(), signature: sign(token, c.signed+path+query+rest, good())})
			if w.Code != http.StatusOK || len(s.received()) != 1 {
				t.Errorf("%s signed as %s%s: answered with %d; want 200", c.public, c.signed, rest, w.Code)
			}
		}
	}
	// A token that the server had before is in URLs that Twilio has kept.
	s := start(t, nil)
	older := strings.Replace(publicURL, "0123", "3210", 1)
	if w := post(t, s.Carrier, call{target: older, body: good().Encode(), signature: sign(token, older, good())}); w.Code != http.StatusOK {
		t.Errorf("an older token's URL: answered with %d; want 200", w.Code)
	}
	// The host that was asked for is of no interest.
	asked := "http://10.0.0.7:8080" + path
	if w := post(t, s.Carrier, call{target: asked, body: good().Encode(), signature: sign(token, asked, good())}); w.Code != http.StatusForbidden {
		t.Errorf("signed over the Host header: answered with %d; want 403", w.Code)
	}
}

// The example of Twilio's documentation.
func TestTheSignatureOfTwiliosDocumentationIsTaken(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *twilio.Config, d *twilio.Deps) {
		c.AuthToken, d.ReceiptURL = setting.NewSecret("12345"), "https://mycompany.com/myapp.php"
	})
	form := url.Values{
		"Digits": {"1234"}, "CallSid": {"CA1234567890ABCDE"}, "To": {"+18005551212"}, "Caller": {"+14158675309"}, "From": {"+14158675309"},
	}
	target := "http://10.0.0.7:8080/myapp.php?foo=1&bar=2"
	for signature, want := range map[string]int{"RSOYDt4T1cUTdK1PDd93/VVr8B8=": http.StatusBadRequest, "RSOYDt4T1cUTdK1PDd93/VVr8B9=": http.StatusForbidden} {
		if w := post(t, s.Carrier, call{target: target, body: form.Encode(), signature: signature}); w.Code != want {
			t.Errorf("%s: answered with %d; want %d", signature, w.Code, want)
		}
	}
}

func TestAReceiptThatIsNotRecordedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.broken = true
	if w := tell(t, s.Carrier, good()); w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered with %d; want 503", w.Code)
	}
}

func TestWhatOnlyTheOperatorCanMendIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	now := clock()
	s := start(t, func(c *twilio.Config, d *twilio.Deps) {
		c.Errors = map[string]string{"30007": "CONFIG"}
		d.Now = func() time.Time { return now }
	})
	for range 3 {
		for _, code := range []string{"30034", "30005", "30007"} {
			tell(t, s.Carrier, url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"undelivered"}, "ErrorCode": {code}})
		}
		now = now.Add(30 * time.Second)
	}
	for code, want := range map[string]int{"30034": 2, "30007": 2, "30005": 0} {
		if got := strings.Count(s.lines(), "code="+code); got != want {
			t.Errorf("%d lines of %s; want %d\n%s", got, code, want, s.lines())
		}
	}
}

func TestACarrierWithoutAReceiptURLTakesNoCallback(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *twilio.Config, d *twilio.Deps) { d.ReceiptURL = "" })
	if w := tell(t, s.Carrier, good()); w.Code != http.StatusForbidden || len(s.received()) != 0 {
		t.Errorf("answered with %d; want 403", w.Code)
	}
}
