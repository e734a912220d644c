package message_test

import (
	"testing"

	"github.com/countersign/countersign/internal/message"
)

func TestAppendedTemplatesKeepTheirCodes(t *testing.T) {
	t.Parallel()
	code := []message.Placeholder{{Token: "{code}", Code: true}}
	first := message.Parse("a {code} b", code)
	for _, c := range []struct {
		others []message.Template
		want   string
		codes  int
	}{
		{nil, "a {code} b", 1},
		{[]message.Template{{}}, "a {code} b", 1},
		{[]message.Template{message.Parse("{code}", code)}, "a {code} b{code}", 2},
		{[]message.Template{message.Parse(" c", code), message.Parse(" #{code}.", code)}, "a {code} b c #{code}.", 2},
	} {
		got := first.Append(c.others...)
		if got.String() != c.want || got.Codes() != c.codes {
			t.Errorf("Append = %q with %d codes; want %q with %d", got, got.Codes(), c.want, c.codes)
		}
	}
	if first.String() != "a {code} b" {
		t.Errorf("the template became %q", first)
	}
	if got := (message.Template{}).Append(first); got.String() != "a {code} b" {
		t.Errorf("Append to the empty template = %q", got)
	}
}
