package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/api/wire"
)

func TestParseJSONKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	got, err := wire.ParseJSON([]byte(` {"a":01` + `}`))
	if err == nil {
		t.Errorf("a number with a leading zero was read as %v", got)
	}
	got, err = wire.ParseJSON([]byte(` {"a": -0.50e+2, "b":[true,null,"\u0041\n\ud83d\ude00"],"a":{}, "":""} `))
	if err != nil {
		t.Fatalf("ParseJSON: %v", err)
	}
	want := wire.Value{Kind: wire.Object, Members: []wire.Member{
		{Name: "a", Value: wire.Value{Kind: wire.Number, Text: "-0.50e+2"}},
		{Name: "b", Value: wire.Value{Kind: wire.Array, Items: []wire.Value{
			{Kind: wire.Bool, Text: "true"}, {}, {Kind: wire.String, Text: "A\n😀"},
		}}},
		{Name: "a", Value: wire.Value{Kind: wire.Object}},
		{Name: "", Value: wire.Value{Kind: wire.String}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if last := got.Last("a"); last.Kind != wire.Object {
		t.Errorf("Last(a) = %v, want the second", last)
	}
	if none := got.Last("A"); none.Kind != wire.Null || got.Find("A") != nil {
		t.Errorf("Last(A) = %v, Find(A) = %v, want none", none, got.Find("A"))
	}
}

func TestParseJSONBoundsNesting(t *testing.T) {
	t.Parallel()
	for depth, ok := range map[int]bool{64: true, 65: false, 30_000: false} {
		text := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		if _, err := wire.ParseJSON([]byte(text)); (err == nil) != ok {
			t.Errorf("%d levels: error %v, want read = %v", depth, err, ok)
		}
	}
	// Levels that are side by side do not add up.
	wide := "[" + strings.Repeat("[[]],", 1000) + "[]]"
	if _, err := wire.ParseJSON([]byte(wide)); err != nil {
		t.Errorf("many shallow arrays: %v", err)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[1,2.5e-3,"a\"\\\/\b\f\n\r\t\u00e4"]`, `{"a":{"b":[null,true,false]},"a":1}`, `"\ud800"`, `"\udc00\ud800"`,
		`nul`, `{"a"}`, `{"a":}`, `[1,]`, `{,}`, `-`, `-a`, `1.`, `1e`, `01`, `"`, `"\`, `"\u12`, "\"\x00\"", "\xff", "\ufeff{}", ` 1 `, `[[[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := wire.ParseJSON(text)
		if err == nil && !json.Valid(text) {
			t.Fatalf("%q is no JSON and was read", text)
		}
		if err != nil {
			if json.Valid(text) && utf8.Valid(text) && !refusable(text) {
				t.Fatalf("%q is JSON and was refused", text)
			}
			return
		}
		var want any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, plain(v)); diff != "" {
			t.Fatalf("%q (-encoding/json +ParseJSON):\n%s", text, diff)
		}
	})
}

// refusable reports whether ParseJSON may refuse valid JSON: it may hold half a
// surrogate pair or be nested too deeply.
func refusable(text []byte) bool {
	return strings.Contains(strings.ToLower(string(text)), `\ud`) || strings.Count(string(text), "[")+strings.Count(string(text), "{") > 64
}

// plain turns a value into what encoding/json makes.
func plain(v wire.Value) any {
	switch v.Kind {
	case wire.Null:
		return nil
	case wire.Bool:
		return v.Text == "true"
	case wire.Number:
		return json.Number(v.Text)
	case wire.String:
		return v.Text
	case wire.Array:
		all := []any{}
		for _, item := range v.Items {
			all = append(all, plain(item))
		}
		return all
	case wire.Object:
	}
	all := map[string]any{}
	for _, m := range v.Members {
		all[m.Name] = plain(m.Value)
	}
	return all
}
