package request_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/request"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// composed is what a message became, or nothing if it does not fit.
func composed(t *testing.T, c *request.Carrier, m delivery.Message) (req *http.Request, body string) {
	t.Helper()
	req, err := c.Compose(t.Context(), m)
	if err != nil {
		if strings.Contains(err.Error(), m.Step.Sender) && len(m.Step.Sender) > 10 {
			t.Errorf("%v quotes the message", err)
		}
		return nil, ""
	}
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(b)
	}
	return req, body
}

// filled is a message of which a stranger chose what he can.
func filled(t *testing.T, value string) delivery.Message {
	t.Helper()
	m := sms(t, "")
	m.Step.Sender, m.Step.Language, m.Dedupe = value, value, value
	m.Step.Text = message.Parse(value, nil)
	m.Expires = epoch.Add(time.Minute)
	return m
}

// What arrives where a placeholder stood is the value, whatever it holds.
func FuzzValue(f *testing.F) {
	for _, v := range []string{"Acme", `"},{"a":"`, "{to}{secret.key}", "a&b=c#d?e/../f", "%00%", "\r\nX: y", "\xff\u2028", "..", ".", "", `\`} {
		f.Add(v, v)
	}
	f.Fuzz(func(t *testing.T, value, secret string) {
		want, wantSecret := strings.ToValidUTF8(value, "\uFFFD"), strings.ToValidUTF8(secret, "\uFFFD")
		carrier := func(change func(*request.Config)) *request.Carrier {
			cfg := config("https://gateway.example/send")
			cfg.Secrets = map[string]setting.Secret{"key": setting.NewSecret(secret)}
			change(&cfg)
			return made(t, cfg)
		}
		m := filled(t, value)

		_, body := composed(t, carrier(func(c *request.Config) {
			c.Body = `{"to":"{to}","a{sender}":["x{text}y"],"n":{to_digits},"k{secret.key}":1}`
		}), m)
		var doc map[string]any
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatalf("%q: %v in %s", value, err, body)
		}
		list, _ := doc["a"+want].([]any)
		if len(list) != 1 || list[0] != "x"+want+"y" || doc["n"] != 491712345678.0 || doc["k"+wantSecret] == nil {
			t.Errorf("%q became %s", value, body)
		}

		_, body = composed(t, carrier(func(c *request.Config) {
			c.ContentType, c.Body = "form", "to={to}&a=x{text}y&k={secret.key}&s{sender}=z"
		}), m)
		form, err := url.ParseQuery(body)
		if err != nil || len(form) != 4 || form.Get("a") != "x"+want+"y" || form.Get("k") != wantSecret || form.Get("s"+want) != "z" {
			t.Errorf("%q became %s, %v", value, body, err)
		}

		req, body := composed(t, carrier(func(c *request.Config) {
			c.Method, c.Body, c.CodeInURL = "GET", "", true
			c.URL += "/{sender}/b?to={to}&t={text}&k={secret.key}"
			c.Headers = map[string]string{"X-Sender": "a{sender}"}
		}), m)
		if req == nil {
			return // not in a path, or not in a header
		}
		segments := strings.Split(req.URL.EscapedPath(), "/")
		middle, err := url.PathUnescape(segments[len(segments)-2])
		query := req.URL.Query()
		if err != nil || req.URL.Host != "gateway.example" || len(segments) != 4 || middle != want || len(query) != 3 || query.Get("t") != want || query.Get("k") != wantSecret || body != "" {
			t.Errorf("%q became %s, %v", value, req.URL, err)
		}
		if got := req.Header["X-Sender"][0]; got != "a"+value || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q became the header %q", value, got)
		}
	})
}

// shape is a JSON document without its texts and numbers.
func shape(doc any) any {
	switch v := doc.(type) {
	case map[string]any:
		out := make([]any, 0, len(v))
		for _, one := range v {
			out = append(out, shape(one))
		}
		return len(out)
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = shape(one)
		}
		return out
	}
	return reflect.TypeOf(doc)
}

// A template that is taken has the same shape for every message: what a stranger
// chooses ends nothing and begins nothing.
func FuzzTemplate(f *testing.F) {
	for _, tpl := range []string{
		`{"to":"{to}","text":"{text}"}`, `["{to}",{to_digits},"\\{text}"]`, `{"a":{"b":{ttl_seconds}},"c":"{text}{to}"}`, "to={to}&text={text}",
		"{to} {text} {{x", `{"to":"\u00{to}","t":"{text}"}`, "https://gateway.example/{to}/{sender}?t={text}&l={language}", "https://{to}/{text}", "https://h:{to_digits}@x/{text}?{to}",
		`"{to}{text}"`, "{", "{}", "{to", "a%{to}{text}", `[{to_digits}{ttl_seconds},"{text}"]`,
	} {
		f.Add(tpl, `"},{"a":"&x=y/../?#`+"\r\n")
		f.Add(tpl, "{to}\\")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		for _, kind := range []string{"json", "form", "text", "url"} {
			cfg := config("https://gateway.example/send")
			if cfg.ContentType, cfg.Body = kind, text; kind == "url" {
				cfg.ContentType, cfg.Method, cfg.Body, cfg.URL, cfg.CodeInURL = "", "GET", "", text, true
			}
			err := cfg.Validate()
			if err != nil {
				continue
			}
			c := made(t, cfg)
			plain, plainBody := composed(t, c, filled(t, "Acme"))
			req, body := composed(t, c, filled(t, value))
			if plain == nil {
				t.Fatalf("%s %q cannot hold a plain message", kind, text)
			}
			if req == nil {
				continue // not in a path
			}
			if req.URL.Host != plain.URL.Host || req.URL.Scheme != plain.URL.Scheme || req.URL.User != nil || req.URL.Fragment != "" ||
				strings.Count(req.URL.EscapedPath(), "/") != strings.Count(plain.URL.EscapedPath(), "/") ||
				strings.Count(req.URL.RawQuery, "&") != strings.Count(plain.URL.RawQuery, "&") {
				t.Errorf("%q with %q became %s", text, value, req.URL)
			}
			switch kind {
			case "json":
				var a, b any
				if json.Unmarshal([]byte(body), &a) != nil || json.Unmarshal([]byte(plainBody), &b) != nil {
					t.Fatalf("%q with %q became %s", text, value, body)
				}
				// Names that hold a placeholder may fall together, and then there are fewer.
				if !strings.Contains(text, ":") && !reflect.DeepEqual(shape(a), shape(b)) {
					t.Errorf("%q with %q became %s", text, value, body)
				}
			case "form":
				if strings.Count(body, "&") != strings.Count(plainBody, "&") || strings.Count(body, "=") != strings.Count(plainBody, "=") || !visible(body) {
					t.Errorf("%q with %q became %s", text, value, body)
				}
			}
		}
	})
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"status":0,"id":"r1"}`, `{"status":"6"}`, "OK: 12", `[]`, `{"id":{}}`, `{"status":true,"id":1e9}`, "\x00|\xff"} {
		f.Add(body, 200, "/id")
		f.Add(body, 502, "/0/~1a~0")
	}
	f.Fuzz(func(t *testing.T, body string, status int, at string) {
		if status < 200 || status > 599 {
			status = 200
		}
		for _, form := range []string{"json", "text"} {
			cfg := config("https://gateway.example/send")
			cfg.Answer, cfg.SuccessPointer, cfg.SuccessValues, cfg.RefPointer = form, "/status", []string{"0", "OK"}, at
			if form == "text" {
				cfg.SuccessPointer = "/0"
			}
			cfg.RetryValues = []string{"1"}
			if cfg.Validate() != nil {
				continue
			}
			r := made(t, cfg).Judge(status, body, sms(t, "{code}"))
			if (r.Class == delivery.Accepted) != (r.Ref != "") || (r.Class == delivery.Accepted) == (r.Failure.Code != "") ||
				len(r.Ref) > 255 || len(r.Failure.Code) > 32 || strings.Contains(r.Failure.Code, code) || r.Class == 0 {
				t.Errorf("%q with %d is %+v", body, status, r)
			}
		}
	})
}
