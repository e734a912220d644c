package proof_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// driveV4 makes the server do everything that could show a secret, and returns
// the id of an OTP.
func driveV4(a *aviary, p *process) string {
	const otps = "/2fa/v4/otp/"
	right := a.code("right")
	id := a.send(p, a.number("9999"), right, map[string]string{"Idempotency-Key": "once-1"})
	a.send(p, a.numbers["number 0"], right, map[string]string{"Idempotency-Key": "once-1"})
	a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(a.numbers["number 0"], a.code("another body")), map[string]string{"Idempotency-Key": "once-1"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(a.code("wrong guess")), nil)
	// The message is read before the OTP ends, so that it surely went out.
	a.arrived(p, id)
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), map[string]string{"Idempotency-Key": "once-2"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), map[string]string{"Idempotency-Key": "once-2"})
	a.call(p, "answers", "POST", otps+id+"/validate", codeBody(right), nil)
	a.call(p, "answers", "GET", otps+id, "", nil)
	a.call(p, "answers", "GET", "/2fa/v4/otp?to="+url.QueryEscape(a.numbers["number 0"]), "", nil)

	// Every behaviour of the sandbox, so every path of a delivery.
	for _, tail := range []string{"0001", "0002", "0003", "0004", "0005"} {
		a.send(p, a.number(tail), a.code("number ending in "+tail), nil)
	}
	blocked := a.send(p, a.number("9999"), a.code("blocked"), nil)
	for range 4 {
		a.call(p, "answers", "POST", otps+blocked+"/validate", codeBody(a.code("guess")), nil)
	}
	gone := a.send(p, a.number("9999"), a.code("deleted"), nil)
	a.call(p, "answers", "DELETE", otps+gone, "", nil)
	a.call(p, "answers", "POST", otps+gone+"/validate", codeBody(a.code("guess of deleted")), nil)
	many := a.number("9999")
	for range 12 { // beyond the recipient's limit
		a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(many, a.code("many")), nil)
	}

	// What is refused.
	code, to := a.code("refused"), a.number("9999")
	for _, body := range []string{
		`{"otpCode":"` + code, `{"otpCode":` + code + `}`, `["` + code + `"]`, code, `{"otpCode":{"x":"` + code + `"}}`,
		`{"otpCode":"` + code + code + `"}`, `{"` + code + `":"` + code + `"}`, strings.Repeat(code, 7000), "{\"otpCode\":\"" + code + "\x00\xff\"}",
		`{"to":"` + to + `x","profileName":"` + code + `","priorityName":"` + code + `","otpCode":"` + code + `"}`,
		`{"to":"` + to + `","profileName":"` + code + `","priorityName":"sms-then-voice","otpCode":"` + strings.ToUpper(code) + `"}`,
	} {
		for _, path := range []string{"/2fa/v4/otp", otps + id + "/validate"} {
			a.call(p, "answers", "POST", path, body, nil)
			a.call(p, "answers", "POST", path, body, map[string]string{"Content-Type": "text/plain"})
			a.call(p, "answers", "PUT", path, body, nil)
		}
	}
	stranger := a.secret("unknown API key", "otp_live_0a1b2c3d4e5f_thisKeyWasNeverMade0123456789")
	for _, key := range []string{stranger, p.key + "x", "Bearer " + p.key} {
		a.call(p, "answers", "GET", otps+id, "", map[string]string{"apiKey": key})
		a.call(p, "answers", "GET", "/sandbox/messages", "", map[string]string{"apiKey": key})
	}
	query := "?apiKey=" + url.QueryEscape(p.key) + "&otpCode=" + code + "&to=" + url.QueryEscape(to)
	for _, path := range []string{
		"/unknown/" + code, "/2fa/v4/unknown", "/2fa/v4/otp/a/b/" + code, otps + code, otps + code + "/validate", "/sandbox/messages", "/readyz",
		"/2fa/v1/send", "/livez/" + code, "/openapi/" + code, "//" + code, "/2fa/v4/%2e%2e/" + code,
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "PATCH", "OPTIONS"} {
			a.call(p, "answers of paths", method, path+query, "", map[string]string{"apiKey": ""})
			if !strings.HasPrefix(path, otps) { // there the code would stand for an id, which errors repeat
				a.call(p, "answers of paths", method, path+query, "", nil)
			}
		}
	}
	return id
}

// arrived waits until the OTP's message is in the inbox.
func (a *aviary) arrived(p *process, id string) {
	a.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if b := p.must(200, "GET", "/sandbox/messages?otpId="+id, ""); len(b) > 10 {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatal("the message did not arrive")
		}
	}
}

// garbage sends what is no HTTP, with secrets in it.
func (a *aviary) garbage(p *process, code string) {
	a.t.Helper()
	for _, request := range []string{
		"GET /?apiKey=" + p.key + " HTTP/9.9\r\n\r\n",
		"GET /2fa/v4/otp?apiKey=" + p.key + " HTTP/1.1\r\nHost: " + code + "\r\napiKey " + p.key + "\r\n\r\n",
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nContent-Length: nine\r\n\r\n" + code,
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nTransfer-Encoding: chunked\r\n\r\n" + code + "\r\n",
		"POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: " + p.key + "\r\nContent-Length: 500\r\n\r\n{\"otpCode\":\"" + code,
		"POST /2fa/v1/otp?apiKey=" + p.key + "&otpCode=" + code + " HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"GET /2fa/v1/otp?apiKey=" + p.key + "&otpCode=" + code + " HTTP/1.1\r\nHost: x y\r\n\r\n",
		"PUT /v1/public/service/otp/validate HTTP/1.1\r\nHost: x\r\napi-login: a\r\napi-key: " + p.key + "\x00\r\nContent-Length: 2\r\n\r\n{}",
		"PUT /v1/public/service/otp/validate?api-key=" + p.key + "&code=" + code + " HTTP/1.1\r\n\r\n",
		code + p.key,
	} {
		c, err := (&net.Dialer{}).DialContext(context.WithoutCancel(a.t.Context()), "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			a.t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		b, _ := io.ReadAll(c)
		a.put("errors", b)
		c.Close()
	}
}
