package proof_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// driveV1 makes version 1 do everything that could show a secret. Keys, codes,
// numbers and texts travel in the query there.
func driveV1(a *aviary, p *process) {
	const otps = "/2fa/v1/otp"
	var (
		form = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		bare = map[string]string{"apiKey": "", "Content-Type": ""}
	)
	// The key in the query, the code in the query.
	withKey := func(values url.Values) string {
		values.Set("apiKey", p.key)
		return "?" + values.Encode()
	}
	order := func(query, body string, header map[string]string) string {
		status, b := a.call(p, "answers", "POST", otps+query, body, header)
		id, err := v1{}.sent(answer{status, b})
		if err != nil {
			a.t.Fatalf("a send: %v", err)
		}
		return id
	}
	right, word := a.code("version 1"), a.keep("text of version 1", "txtwdwq7041kbz")
	to := a.number("9999")
	given := url.Values{"number": {to}, "otpCode": {right}, "text": {"{{OTP}} " + word}, "referenceId": {"order-17"}}
	id := order(withKey(given), "", bare)
	a.arrived(p, id)
	check := otps + "/" + id + "/check"
	code := func(name string) url.Values { return url.Values{"otpCode": {a.code(name)}} }
	a.call(p, "answers", "POST", check+withKey(code("guess in the query")), "", bare)
	a.call(p, "answers", "POST", check+"/?apiKey="+p.key, code("guess in a form").Encode(), map[string]string{"apiKey": "", "Content-Type": form["Content-Type"]})
	once := map[string]string{"Idempotency-Key": "v1-once"}
	for range 2 {
		a.call(p, "answers", "POST", check+"?otpCode="+right, "", once)
	}
	a.call(p, "answers", "POST", check+"?otpCode="+right, "", nil)
	a.call(p, "answers", "GET", otps+"/"+id+withKey(url.Values{}), "", bare)
	a.call(p, "answers", "GET", otps+"/"+id+"/events", "", nil)
	a.call(p, "answers", "GET", otps+withKey(url.Values{"number": {to}}), "", bare)

	// The same in bodies, whatever they are labelled as.
	other := a.code("version 1, in a form")
	id = order("", url.Values{"number": {a.number("9999")}, "otpCode": {other}, "text": {word + " {{OTP}}"}}.Encode(), form)
	a.arrived(p, id)
	a.call(p, "answers", "POST", otps+"/"+id+"?via=VOICE", "", nil)
	a.call(p, "answers", "POST", otps+"/"+id+"/check", codeBody(a.code("guess in JSON")), form)
	a.call(p, "answers", "POST", otps+"/"+id+"/check", codeBody(other), nil)
	id = order("", `{"number":"`+a.number("9999")+`","otpCode":"`+a.code("version 1, in JSON")+`"}`, form)
	for range 4 {
		a.call(p, "answers", "POST", otps+"/"+id+"/check", code("blocking guess").Encode(), form)
	}
	id = order("?number="+url.QueryEscape(a.number("9999"))+"&otpCode="+a.code("version 1, deleted"), "", nil)
	a.call(p, "answers", "DELETE", otps+"/"+id+withKey(url.Values{}), "", bare)
	a.call(p, "answers", "POST", otps+"/"+id+"/check?otpCode="+a.code("guess of deleted"), "", nil)

	// A code that the server chooses, and texts of an application.
	a.call(p, "answers", "POST", "/2fa/v1/application/default?pinLength=10&alphaNumeric=true", "", nil)
	a.call(p, "answers", "POST", "/2fa/v1/application/default/language?language=de&text="+url.QueryEscape("Code: {{OTP}} "+a.keep("text of an application", "txtapq5518nnb")), "", nil)
	id = order("?language=de&via=SMS&number="+url.QueryEscape(a.number("9999")), "", nil)
	chosen := a.message(p, id, regexp.MustCompile(`Code: (\w{10})`))
	a.secret("code that version 1 chose", chosen)
	a.call(p, "answers", "POST", otps+"/"+id+"/check?otpCode="+strings.ToUpper(chosen), "", nil)

	for _, tail := range []string{"0001", "0002", "0003", "0004", "0005"} {
		order("?number="+url.QueryEscape(a.number(tail))+"&otpCode="+a.code("version 1, number ending in "+tail), "", nil)
	}
	many := url.QueryEscape(a.number("9999"))
	for range 12 { // beyond the recipient's limit
		a.call(p, "answers", "POST", otps+"?number="+many+"&otpCode="+a.code("many of version 1"), "", nil)
	}
	refuseV1(a, p, id)
}

// refuseV1 gives version 1 what it refuses, with secrets in it.
func refuseV1(a *aviary, p *process, id string) {
	const otps = "/2fa/v1/otp"
	code, to, word := a.code("refused by version 1"), a.number("9999"), a.keep("refused text", "txtrfq6620mmc")
	stranger := a.secret("unknown key of version 1", "otp_live_9z8y7x6w5v4u_thisKeyWasNeverMadeEither12345")
	number := "number=" + url.QueryEscape(to)
	for _, query := range []string{
		"number=" + url.QueryEscape(to+"x"), number + "&otpCode=" + code + "%20" + code, number + "&otpCode=" + strings.Repeat(code, 3),
		number + "&otpCode=%zz" + code, number + "&otpCode=%ff" + code, number + "&text=" + word, number + "&text=" + strings.Repeat(word, 200) + "%7B%7BOTP%7D%7D",
		number + "&via=" + code, number + "&country=" + code, number + "&country=FR", number + "&pinLength=" + code, number + "&sender=" + code + code,
		number + "&caller=" + code + code, number + "&applicationId=" + code, "otpCode=" + code,
	} {
		a.call(p, "answers", "POST", otps+"?"+query, "", nil)
		a.call(p, "answers", "POST", otps+"?apiKey="+p.key+"&"+query, "", map[string]string{"apiKey": ""})
		a.call(p, "answers", "POST", otps, query, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	}
	query := "?apiKey=" + p.key + "&otpCode=" + code + "&text=" + word + "&" + number
	bodies := []string{`{"otpCode":"` + code, `{"otpCode":["` + code + `"]}`, `["` + code + `"]`, code, strings.Repeat(code, 7000), "{\"otpCode\":\"" + code + "\x00\xff\"}"}
	for _, path := range []string{
		otps, otps + "/" + id + "/check", otps + "/" + code + "/check", otps + "/" + code, "/2fa/v1/" + code, "/2fa/v1/%2e%2e/" + code,
		"/2fa/v1/application/" + code, "/2fa/v1/application/default/language", "/2fa/v1",
	} {
		for _, method := range []string{"PUT", "PATCH", "OPTIONS", "GET"} {
			a.call(p, "answers of paths", method, path+query+"&name=default", "", map[string]string{"apiKey": stranger})
			if method != http.MethodGet {
				a.call(p, "answers of paths", method, path+query, "", map[string]string{"apiKey": ""})
			}
		}
		for _, body := range bodies {
			a.call(p, "answers", "POST", path, body, nil)
			a.call(p, "answers", "POST", path, body, map[string]string{"Content-Type": "text/plain"})
		}
	}
	for _, key := range []string{stranger, p.key + "x", "Bearer " + p.key} {
		a.call(p, "answers of paths", "GET", otps+"/"+id+"?apiKey="+url.QueryEscape(key), "", map[string]string{"apiKey": ""})
		a.call(p, "answers of paths", "GET", otps+"/"+id, "", map[string]string{"apiKey": key})
	}
}
