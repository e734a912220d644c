package twilio_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestACallbackWithTwoSignaturesIsForged(t *testing.T) {
	t.Parallel()
	target := publicURL + "?d=" + dedupe
	right := sign(token, target, good())
	for name, given := range map[string][]string{
		"the right one first": {right, sign("another", target, good())},
		"the right one last":  {sign("another", target, good()), right},
		"the right one twice": {right, right},
	} {
		s := start(t, nil)
		r := httptest.NewRequestWithContext(
			t.Context(), http.MethodPost, strings.Replace(target, "https://otp.example.com", "http://10.0.0.7:8080", 1), strings.NewReader(good().Encode()),
		)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["X-Twilio-Signature"] = given
		w := httptest.NewRecorder()
		s.Receipts().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden || s.count() != 0 {
			t.Errorf("%s: answered with %d, %d receipts; want 403 and none", name, w.Code, s.count())
		}
	}
}
