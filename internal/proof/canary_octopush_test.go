package proof_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// driveOctopush makes the Octopush API do everything that could show a secret,
// with a key that has a login. What it calls a token opens an OTP: as little as
// a number may it be in a log.
func driveOctopush(a *aviary, p *process, key string) {
	const base = "/v1/public/service/otp/"
	head := map[string]string{"apiKey": "", "api-login": login, "api-key": key, "Content-Type": ""}
	with := func(name, value string) map[string]string {
		h := map[string]string{name: value}
		for n, v := range head {
			if n != name {
				h[n] = v
			}
		}
		return h
	}
	// Codes that are long and of many letters, so that they can be told from chance.
	const long = `,"code_length":16,"allow_upper_case":true,"allow_lower_case":"yes"`
	order := func(name, to, more string, header map[string]string) string {
		status, b := a.call(p, "answers", "POST", base+"generate", `{"phone_number":"`+to+`"`+long+more+`}`, header)
		token, err := octopush{}.sent(answer{status, b})
		if err != nil {
			a.t.Fatal(err)
		}
		return a.keep("token of "+name, token)
	}
	validate := func(kind, body string, header map[string]string) {
		a.call(p, kind, "PUT", base+"validate", body, header)
	}
	word, address := a.keep("text of Octopush", "txtocq8832ppd"), a.secret("address of an end user", "203.0.113.177")
	to := a.number("9999")
	shown := regexp.MustCompile(`Code (\w{16})`)

	token := order("the right code", to, `,"text":"`+word+` Code {code} {hh:mm:ss}","recipient_ip":"`+address+`"`, with("Idempotency-Key", "octopush-1"))
	order("the right code", to, `,"text":"`+word+` Code {code} {hh:mm:ss}","recipient_ip":"`+address+`"`, with("Idempotency-Key", "octopush-1"))
	right := a.secret("code that Octopush chose", a.message(p, token, shown))
	identity := `"otp_request_token":"` + token + `"`
	validate("answers", `{`+identity+`,"code":"`+a.code("guess in JSON")+`","recipient_ip":"`+address+`"}`, head)
	validate("answers", `{`+identity+`,"code":"`+right+`"}`, head) // without the address
	right2 := url.Values{"otp_request_token": {token}, "phone_number": {to}, "code": {" " + right + " "}, "recipient_ip": {"::ffff:" + address}}.Encode()
	validate("answers", right2, with("Idempotency-Key", "octopush-2"))
	validate("answers", right2, with("Idempotency-Key", "octopush-2"))
	validate("answers", right2, head)
	validate("answers", `{"phone_number":"`+to+`","code":"`+right+`"}`, head)

	token = order("blocked", a.number("9999"), `,"text":"Code {code}"`, head)
	a.secret("code of the blocked", a.message(p, token, shown))
	for range 4 {
		validate("answers", `{"otp_request_token":"`+token+`","code":"`+a.code("blocking guess")+`"}`, head)
	}
	simulated := order("a simulation", a.number("9999"), `,"simulation_mode":1`, head)
	validate("answers", `{"otp_request_token":"`+simulated+`","code":"`+a.code("guess of a simulation")+`"}`, head)
	for _, tail := range []string{"0001", "0002", "0003", "0004", "0005"} {
		order("number ending in "+tail, a.number(tail), `,"text":"Code {code} `+word+`"`, head)
	}
	many := a.number("9999")
	for range 12 { // beyond the recipient's limit
		_, b := a.call(p, "answers", "POST", base+"generate", `{"phone_number":"`+many+`"`+long+`,"channel":"voice"}`, head)
		if token, err := (octopush{}).sent(answer{200, b}); err == nil {
			a.keep(fmt.Sprintf("token %d of many", len(a.kept)), token)
		}
	}

	// What is refused.
	code, number := a.code("refused by Octopush"), a.number("9999")
	all := `"otp_request_token":"` + token + `","code":"` + code + `","text":"` + word + `"`
	bodies := []string{
		`{` + all, `[{` + all + `}]`, `{` + all + `,"phone_number":"` + number + `x"}`, `{` + all + `,"phone_number":"` + number + `"}`,
		`{"otp_request_token":"` + code + `","code":"` + token + `"}`, `{"otp_request_token":{"` + token + `":"` + code + `"},"code":["` + code + `"]}`,
		`{"phone_number":"` + code + `"}`, `{"phone_number":{"` + number + `":"` + code + `"}}`, code, "\"" + token + "\"", "phone_number=%zz" + code,
		strings.Repeat(code, 7000), "{\"code\":\"" + code + "\x00\xff\",\"otp_request_token\":\"" + token + "\"}",
	}
	for _, path := range []string{"generate", "validate", "validate/" + token, token, "generate/../" + code} {
		query := "?api-key=" + key + "&otp_request_token=" + token + "&code=" + code + "&phone_number=" + url.QueryEscape(number)
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			a.call(p, "answers of paths", method, base+path+query, "", head)
			a.call(p, "answers of paths", method, base+path+query, bodies[2], with("api-key", ""))
		}
		for _, body := range bodies {
			a.call(p, "answers", "POST", base+path, body, head)
			a.call(p, "answers", "PUT", base+path, body, with("Content-Type", "application/json"))
		}
	}
	stranger := a.secret("unknown key of Octopush", "otp_live_1q2w3e4r5t6y_thisKeyWasNeverMadeAtAll98765")
	for _, header := range []map[string]string{
		with("api-key", stranger), with("api-key", p.key), with("api-key", key+"x"), with("api-login", key), with("api-login", stranger),
		with("Idempotency-Key", "no blank "+code), with("apiKey", key),
	} {
		validate("answers of paths", `{`+all+`}`, header)
		a.call(p, "answers of paths", "POST", base+"generate", `{"phone_number":"`+number+`x"}`, header)
	}
}
