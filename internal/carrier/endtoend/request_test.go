package endtoend_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestACodeTravelsOverAGatewayThatIsDescribed(t *testing.T) {
	t.Parallel()
	const key = "canary-of-a-key"
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, "OK: 12345") })
	j := travel(t, `[[carrier]]
name         = "bulk"
type         = "request"
url          = "`+base+`/submit"
content_type = "form"
body         = "key={secret.key}&to={to_digits}&text={text}&dlr={receipt_url}"
secrets      = { key = "env:GATEWAY_KEY" }
allow_private = true

answer          = "text"
success_pointer = "/0"
success_values  = "OK"
ref_pointer     = "/1"

receipt_ref       = "id"
receipt_status    = "state"
receipt_delivered = "DELIVRD"
`, append(public(t), "GATEWAY_KEY="+key)...)
	otp := j.send("sms")
	form, err := url.ParseQuery(next(t, got, "POST /submit").body)
	if err != nil || form.Get("key") != key || !code.MatchString(form.Get("text")) || form.Get("dlr") == "" {
		t.Fatalf("the gateway read %v, %v; want its key, a code and a receipt URL", form, err)
	}
	report := form.Get("dlr") + "?id=12345&state=DELIVRD"
	j.settles(
		otp, http.StatusNotFound, // nothing is signed: the token is the only lock
		func() int { return j.report(http.MethodGet, otherToken(t, report), http.Header{}, "") },
		func() int { return j.report(http.MethodGet, report, http.Header{}, "") },
	)
	if log := j.log.String(); strings.Contains(log, key) || strings.Contains(log, form.Get("text")) {
		t.Errorf("the log holds the gateway's key or the text:\n%s", log)
	}
}
