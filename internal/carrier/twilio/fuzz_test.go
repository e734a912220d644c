package twilio_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// FuzzCallback sends any form, with Twilio's signature and without.
func FuzzCallback(f *testing.F) {
	s := start(f, nil)
	s.submit(f, text(f, message.Voice, "{code}"))
	_, query, _ := strings.Cut(withoutFragment(s.last(f).form.Get("Url")), "?")
	f.Add("d="+dedupe, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005")
	f.Add("", "CallSid=CA1&CallStatus=completed&CallDuration=9&AnsweredBy=human")
	f.Add(query, "CallSid=CA1&CallStatus=in-progress")
	f.Add("say=AAAA", "%zz")
	f.Fuzz(func(t *testing.T, query, body string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			form = nil
		}
		for _, values := range form {
			if len(values) > 1 {
				return // our double signs no such form
			}
		}
		target := "http://10.0.0.7/carriers/twilio/receipts/0123456789abcdef"
		u, err := url.Parse(target + "?" + query)
		if err != nil || strings.ContainsAny(query, " #\r\n") {
			return
		}
		signed := publicURL
		if u.RawQuery != "" {
			signed += "?" + u.RawQuery
		}
		before := s.count()
		if w := post(t, s.Carrier, call{target: u.String(), body: body}); w.Code != http.StatusForbidden && w.Code != http.StatusBadRequest {
			t.Errorf("without a signature: answered with %d; want 403 or 400", w.Code)
		}
		if s.count() != before {
			t.Error("a receipt was taken without a signature")
		}
		switch w := post(t, s.Carrier, call{target: u.String(), body: body, signature: sign(token, signed, form)}); w.Code {
		case http.StatusOK, http.StatusBadRequest:
		default:
			t.Errorf("answered with %d; want 200 or 400", w.Code)
		}
	})
}

// FuzzAnswer has Twilio answer anything.
func FuzzAnswer(f *testing.F) {
	f.Add(201, `{"sid":"SM1","status":"queued","error_code":null}`)
	f.Add(400, `{"code":21211,"message":"x","status":400}`)
	f.Add(429, `{"code":20429}`)
	f.Add(200, `[]`)
	f.Add(503, ``)
	s := start(f, nil)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		s.script(answer{status: status, body: body})
		r := s.submit(t, text(t, message.SMS, "{code}"))
		accepted := r.Class == delivery.Accepted
		if r.Class < delivery.Accepted || r.Class > delivery.Uncertain || (accepted || r.Class == delivery.Uncertain) != (r.Ref != "") || accepted == (r.Failure.Code != "") {
			t.Errorf("%d %q: Submit = %+v", status, body, r)
		}
	})
}
