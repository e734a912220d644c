package message_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/message"
)

// dialect is what a facade hands to Parse.
func dialect() []message.Placeholder {
	return []message.Placeholder{
		{Token: "{{otp_code}}", Code: true},
		{Token: "{{expiration_time}}", Value: "3"},
	}
}

func TestRenderPutsCodeAndValuesInTheirPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, code, want string }{
		{"ACME code {{otp_code}}, valid {{expiration_time}} min.", "483920", "ACME code 483920, valid 3 min."},
		{"{{otp_code}}{{otp_code}}", "12", "1212"},
		{"{{otp_code}}", "{{expiration_time}}", "{{expiration_time}}"},
		{"{{ otp_code }} {{OTP_CODE}} {{other}} {{otp_code}", "1", "{{ otp_code }} {{OTP_CODE}} {{other}} {{otp_code}"},
		{"{{{otp_code}}}", "1", "{1}"},
		{"{{otp_{{otp_code}}code}}", "1", "{{otp_1code}}"},
		{"", "1", ""},
		{"no place", "1", "no place"},
		{"Κωδικός {{otp_code}} 👍", "1", "Κωδικός 1 👍"},
		{"bad \xff{{otp_code}}", "1", "bad \uFFFD1"},
	} {
		tpl := message.Parse(c.text, dialect())
		if got := tpl.Render(c.code, message.Plain); got != c.want {
			t.Errorf("Parse(%q).Render(%q) = %q, want %q", c.text, c.code, got, c.want)
		}
	}
}

func TestAValueIsNeverSearchedForTokens(t *testing.T) {
	t.Parallel()
	tpl := message.Parse("{a}{b}{c}", []message.Placeholder{
		{Token: "{a}", Value: "{b}"}, {Token: "{b}", Value: "{code}"}, {Token: "{c}", Value: "{"}, {Token: "{code}", Code: true},
	})
	if got, want := tpl.Render("1", message.Plain), "{b}{code}{"; got != want || tpl.Codes() != 0 {
		t.Errorf("Render = %q with %d codes, want %q with none", got, tpl.Codes(), want)
	}
}

func TestTheLongestTokenWins(t *testing.T) {
	t.Parallel()
	short := message.Placeholder{Token: "{code", Value: "short"}
	long := message.Placeholder{Token: "{code}", Code: true}
	again := message.Placeholder{Token: "{code}", Value: "again"}
	for _, placeholders := range [][]message.Placeholder{{short, long, again}, {long, again, short}} {
		tpl := message.Parse("{code} {code", placeholders)
		if got, want := tpl.Render("1", message.Plain), "1 short"; got != want {
			t.Errorf("with %v: Render = %q, want %q", placeholders, got, want)
		}
	}
}

func TestTokensThatAreEmptyOrBrokenNeverMatch(t *testing.T) {
	t.Parallel()
	tpl := message.Parse("€", []message.Placeholder{{Token: "", Code: true}, {Token: "\x82", Code: true}, {Token: "\xe2", Code: true}})
	if got := tpl.Render("1", message.Plain); got != "€" {
		t.Errorf("Render = %q, want €", got)
	}
}

func TestASpelledCodeIsSpokenCharacterByCharacter(t *testing.T) {
	t.Parallel()
	tpl := message.Parse("Code: {{otp_code}}. Again: {{otp_code}}.", dialect())
	for code, want := range map[string]string{
		"483920": "Code: 4, 8, 3, 9, 2, 0. Again: 4, 8, 3, 9, 2, 0.",
		"é1":     "Code: é, 1. Again: é, 1.",
		"7":      "Code: 7. Again: 7.",
		"":       "Code: . Again: .",
	} {
		if got := tpl.Render(code, message.Spelled); got != want {
			t.Errorf("Render(%q, Spelled) = %q, want %q", code, got, want)
		}
	}
}

func TestCodesCountsThePlacesOfTheCode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "x": 0, "{{otp_code}}": 1, "{{otp_code}} x {{otp_code}}": 2} {
		if got := message.Parse(text, dialect()).Codes(); got != want {
			t.Errorf("Parse(%q).Codes() = %d, want %d", text, got, want)
		}
	}
	if got := (message.Template{}).Codes(); got != 0 {
		t.Errorf("zero Template has %d codes, want 0", got)
	}
}

func TestEnsureCodeAppendsACodeThatIsMissing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "123456",
		"Your verification code: ":  "Your verification code: 123456",
		"Code":                      "Code 123456",
		"Code\n":                    "Code\n123456",
		"Code\u00a0":                "Code\u00a0123456",
		"{{otp_code}} is it":        "123456 is it",
		"valid {{expiration_time}}": "valid 3 123456",
	} {
		if got := message.Parse(text, dialect()).EnsureCode().Render("123456", message.Plain); got != want {
			t.Errorf("EnsureCode of %q renders %q, want %q", text, got, want)
		}
	}
	if got := (message.Template{}).EnsureCode().Render("1", message.Plain); got != "1" {
		t.Errorf("EnsureCode of the zero Template renders %q, want the code", got)
	}
}

func TestCutTextCutsOnlyTheText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"abc{{otp_code}}def", 12, "abc123456def"},
		{"abc{{otp_code}}def", 11, "abc123456de"},
		{"abc{{otp_code}}def", 8, "ab123456"},
		{"abc{{otp_code}}def", 6, "123456"},
		{"abc{{otp_code}}def", 5, "123456"}, // one code always stays
		{"abc{{otp_code}}def", -1, "123456"},
		{"Code is {{otp_code}}", 10, "Cod 123456"}, // the blank before the code stays
		{"Code is {{otp_code}}", 7, "C123456"},
		{"ééé👍{{otp_code}}", 9, "ééé123456"},
		{"a{{otp_code}}b{{otp_code}}c", 14, "a123456b123456"},
		{"a{{otp_code}}b{{otp_code}}c", 12, "123456123456"},
		{"a{{otp_code}}b{{otp_code}}c", 11, "123456"},
		{"no code", 4, "no c"},
		{"", 0, ""},
	} {
		original := message.Parse(c.text, dialect())
		before := original.String()
		got := original.CutText(c.limit, 6).Render("123456", message.Plain)
		if got != c.want {
			t.Errorf("CutText(%d) of %q renders %q, want %q", c.limit, c.text, got, c.want)
		}
		if original.String() != before {
			t.Errorf("CutText changed its receiver to %q", original)
		}
	}
}

func TestALongTextEndsWithTheCode(t *testing.T) { // O-41
	t.Parallel()
	tpl := message.Parse(strings.Repeat("x", 2000), nil).EnsureCode().CutText(1224, 6)
	got := tpl.Render("123456", message.Plain)
	if n := utf8.RuneCountInString(got); n != 1224 || !strings.HasSuffix(got, "x 123456") {
		t.Errorf("%d characters that end in %q, want 1224 and the code", n, got[len(got)-10:])
	}
}

func TestTheStoredFormIsAnArray(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ACME code {{otp_code}}, valid {{expiration_time}} min.": `["ACME code ",0,", valid 3 min."]`,
		"{{otp_code}}":                      `[0]`,
		"{{otp_code}}{{otp_code}}":          `[0,0]`,
		"0":                                 `["0"]`,
		"":                                  `[]`,
		"quote \" and \\ and \n é 👍 \u2028": `["quote \" and \\ and \n é 👍 \u2028"]`,
	} {
		tpl := message.Parse(text, dialect())
		b, err := json.Marshal(tpl)
		if err != nil || string(b) != want {
			t.Errorf("stored form of %q is %s, %v; want %s", text, b, err, want)
		}
		var back message.Template
		if err := json.Unmarshal(b, &back); err != nil {
			t.Errorf("reading %s: %v", b, err)
		}
		if diff := cmp.Diff(tpl.Render("1", message.Plain), back.Render("1", message.Plain)); diff != "" || back.Codes() != tpl.Codes() {
			t.Errorf("%s comes back with %d codes, want %d; text -want +got\n%s", b, back.Codes(), tpl.Codes(), diff)
		}
	}
	if b, err := json.Marshal(message.Template{}); err != nil || string(b) != `[]` {
		t.Errorf("stored form of the zero Template is %s, %v; want []", b, err)
	}
}

func TestOnlyArraysOfStringsAndZerosAreTemplates(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{
		`null`, `{}`, `"x"`, `0`, `true`, `[1]`, `[-0]`, `[0.0]`, `[0e1]`, `[null]`, `[["x"]]`, `[{}]`, `[true]`, `["x",1]`, `[0,`, ``, `[00]`,
	} {
		tpl := message.Parse("kept", nil)
		if err := tpl.UnmarshalJSON([]byte(stored)); err == nil || tpl.String() != "kept" {
			t.Errorf("UnmarshalJSON(%s) = %v and left %q; want an error and no change", stored, err, tpl)
		}
	}
	var tpl message.Template
	if err := json.Unmarshal([]byte(` [ "a" , "b" , 0 , "" ] `), &tpl); err != nil || tpl.String() != "ab{code}" {
		t.Errorf("neighbouring strings: %q, %v; want them joined", tpl, err)
	}
}

func TestATemplatePrintsWithoutACode(t *testing.T) {
	t.Parallel()
	if got, want := fmt.Sprint(message.Parse("It is {{otp_code}}.", dialect())), "It is {code}."; got != want {
		t.Errorf("prints %q, want %q", got, want)
	}
}

func BenchmarkRender(b *testing.B) {
	tpl := message.Parse("ACME code {{otp_code}}, valid {{expiration_time}} min.", dialect())
	b.ReportAllocs()
	for b.Loop() {
		tpl.Render("483920", message.Plain)
	}
}
