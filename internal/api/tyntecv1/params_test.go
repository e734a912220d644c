package tyntecv1_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/api/tyntecv1"
)

const formType = "application/x-www-form-urlencoded"

func TestParametersAreFoundWhereverAndHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	names := []string{"number", "sender", "alphaNumeric", "text", "pinLength", "otpCode"}
	for _, c := range []struct {
		name, query, media, body string
		want                     map[string]string
	}{
		{name: "nothing", want: map[string]string{}},
		{name: "query", query: "number=1&sender=a", want: map[string]string{"number": "1", "sender": "a"}},
		{name: "no case", query: "NUMBER=1&Sender=a&alphanumeric=true", want: map[string]string{"number": "1", "sender": "a", "alphaNumeric": "true"}},
		{name: "twice: the first", query: "sender=a&sender=b", want: map[string]string{"sender": "a"}},
		{name: "two foreign spellings: the first", query: "SENDER=a&Sender=b", want: map[string]string{"sender": "a"}},
		{name: "two spellings: the documented one", query: "Sender=BIG&sender=small", want: map[string]string{"sender": "small"}},
		{name: "letter case is that of ASCII", query: "%C5%BFender=a", want: map[string]string{}},
		{name: "an empty one is absent", query: "sender=&Sender=BIG&number", want: map[string]string{"sender": "BIG"}},
		{name: "a plus is a blank", query: "number=+44&text=a+b%2Bc", want: map[string]string{"number": " 44", "text": "a b+c"}},
		{name: "a semicolon is text", query: "text=a;b&number=1;2", want: map[string]string{"text": "a;b", "number": "1;2"}},
		{name: "an encoded name", query: "n%75mber=1", want: map[string]string{"number": "1"}},
		{name: "an equals sign in a value", query: "text=a=b", want: map[string]string{"text": "a=b"}},
		{name: "broken encoding", query: "text=%zz&nu%zmber=1", want: map[string]string{"text": tyntecv1.Unreadable}},
		{name: "not UTF-8", query: "text=%ff", want: map[string]string{"text": tyntecv1.Unreadable}},
		{name: "form", media: formType, body: "number=+44&SENDER=a", want: map[string]string{"number": " 44", "sender": "a"}},
		{name: "form with a charset", media: "Application/X-WWW-Form-URLencoded ; charset=utf-8", body: "number=1", want: map[string]string{"number": "1"}},
		{name: "form without a label", body: "number=1", want: map[string]string{"number": "1"}},
		{name: "another media type", media: "text/plain", body: "number=1", want: map[string]string{}},
		{name: "the query before the form", query: "Sender=q", media: formType, body: "sender=f&number=2", want: map[string]string{"sender": "q", "number": "2"}},
		{name: "an empty one in the query", query: "sender=", media: formType, body: "sender=f", want: map[string]string{"sender": "f"}},
		{name: "JSON", media: "application/json", body: `{"number":"1","sender":"a"}`, want: map[string]string{"number": "1", "sender": "a"}},
		{name: "JSON labelled as a form", media: formType, body: " \r\n\t{\"number\":447400123456}", want: map[string]string{"number": "447400123456"}},
		{name: "JSON labelled as text", media: "text/plain", body: `{"number":"1"}`, want: map[string]string{"number": "1"}},
		{name: "JSON without a label", body: `{"number":"1"}`, want: map[string]string{"number": "1"}},
		{
			name: "JSON of all kinds", body: `{"pinLength":6,"alphanumeric":true,"sender":null,"number":"","text":["x"],"more":{}}`,
			want: map[string]string{"pinLength": "6", "alphaNumeric": "true", "text": tyntecv1.Unreadable},
		},
		{name: "a phone number as a floating-point number", body: `{"NUMBER":4915123456789.0}`, want: map[string]string{"number": "4915123456789"}},
		{name: "a phone number with an exponent", body: `{"number":4.915123456789E+12}`, want: map[string]string{"number": "4915123456789"}},
		{name: "a phone number with a fraction", body: `{"number":4915123456789.5}`, want: map[string]string{"number": tyntecv1.Unreadable}},
		{name: "a phone number without end", body: `{"number":1e70}`, want: map[string]string{"number": tyntecv1.Unreadable}},
		{name: "a phone number in quotes", body: `{"number":"4915123456789.0"}`, want: map[string]string{"number": "4915123456789.0"}},
		{name: "a code as a floating-point number", body: `{"otpCode":1234.0}`, want: map[string]string{"otpCode": "1234"}},
		{name: "a code with a fraction", body: `{"otpCode":12.340}`, want: map[string]string{"otpCode": "12.34"}},
		{name: "an integer as a floating-point number", body: `{"pinLength":6.0}`, want: map[string]string{"pinLength": "6.0"}},
		{name: "a text of digits with a fraction", body: `{"sender":1.50}`, want: map[string]string{"sender": "1.50"}},
		{name: "JSON with two spellings", body: `{"Sender":"BIG","sender":"small","sender":"late"}`, want: map[string]string{"sender": "small"}},
		{name: "JSON after the query", query: "number=q", body: `{"number":"j","sender":"a"}`, want: map[string]string{"number": "q", "sender": "a"}},
		{name: "blank JSON", media: "application/json", body: " \n", want: map[string]string{}},
	} {
		got, err := tyntecv1.Decode(names, c.query, c.media, []byte(c.body))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, c := range []struct{ media, body string }{
		{"application/json", `[]`},
		{"application/json; charset=utf-8", `"number"`},
		{"application/json", `number=1`},
		{formType, `{"number":1`},
		{"", `{"number":1}x`},
		{"", `{number:1}`},
		{"text/plain", "{\"number\":\"\xff\"}"},
	} {
		if got, err := tyntecv1.Decode(names, "number=1", c.media, []byte(c.body)); err == nil {
			t.Errorf("%s %q: %v, want an error", c.media, c.body, got)
		}
	}
}

func TestQueryFormAndJSONSayTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[a-z]{1,8}`), rapid.StringN(1, 20, -1)).Draw(t, "parameters")
		maps.DeleteFunc(want, func(_, v string) bool { return !utf8.ValidString(v) })
		names := slices.Sorted(maps.Keys(want))
		values := url.Values{}
		spelled := map[string]string{}
		for name, value := range want {
			if rapid.Bool().Draw(t, "capitals") {
				name = strings.ToUpper(name)
			}
			values.Set(name, value)
			spelled[name] = value
		}
		body, err := json.Marshal(spelled)
		if err != nil {
			t.Fatal(err)
		}
		for place, c := range map[string]struct{ query, body string }{
			"query": {query: values.Encode()}, "form": {body: values.Encode()}, "JSON": {body: string(body)},
		} {
			got, err := tyntecv1.Decode(names, c.query, "", []byte(c.body))
			if err != nil {
				t.Fatalf("%s: %v", place, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", place, diff)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("number=+44&Sender=a&sender=b", formType, "via=sms&number=%2B44")
	f.Add("apiKey=k&text=%zz&=x&&a", "", `{"name":"WEB","pinLength":6,"x":[{"y":null}]}`)
	f.Add("", "application/json", `[1]`)
	f.Fuzz(func(t *testing.T, query, media, body string) {
		names := []string{"number", "sender", "pinLength"}
		got, err := tyntecv1.Decode(names, query, media, []byte(body))
		if err != nil && got != nil {
			t.Errorf("both %v and %v", got, err)
		}
		for name, value := range got {
			if value == "" || !utf8.ValidString(value) || !slices.Contains(names, name) {
				t.Errorf("%q = %q", name, value)
			}
		}
		// What the query says, no body changes.
		alone, _ := tyntecv1.Decode(names, query, "", nil)
		for name, value := range alone {
			if err == nil && got[name] != value {
				t.Errorf("%s is %q with the body and %q without", name, got[name], value)
			}
		}
	})
}
