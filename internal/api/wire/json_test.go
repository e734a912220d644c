package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
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

// What no API knows may be nested as deep as a body has room for.
func TestParseJSONReadsSixtyFourLevelsAndPassesOverWhatIsDeeper(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{64, 65, 30_000} {
		text := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		v, err := wire.ParseJSON([]byte(text))
		if err != nil {
			t.Errorf("%d levels: %v", depth, err)
		}
		levels := 1
		for at := v; len(at.Items) > 0; at = at.Items[0] {
			levels++
		}
		if levels != min(depth, 65) {
			t.Errorf("of %d levels %d are there; want no more than 64 and one that seems empty", depth, levels)
		}
	}
	// Levels that are side by side do not add up.
	wide := "[" + strings.Repeat("[[]],", 1000) + "[]]"
	if v, err := wire.ParseJSON([]byte(wide)); err != nil || len(v.Items) != 1001 || len(v.Items[999].Items) != 1 {
		t.Errorf("many shallow arrays: %d, %v", len(v.Items), err)
	}
}

// What is passed over is JSON or not as anything else, and what follows it is read.
func TestParseJSONReadsOnBehindWhatIsTooDeep(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{
		`[]`, `{}`, `[1,[2,{"a":[],"b":{"c":null}},[[]]],"]"]`, ` { "a" : [ { } , [ ] ] , "b" : "}" } `, `[1`, `{"a"}`, `{"a":1,}`, `{"a":1]`, `[1}`, `[,]`,
		`[1,]`, `[1 2]`, `{1:2}`, `{"a":}`, `{"a" 1}`, `{`, `[`, `[]]`, `[tru]`, `{"a":01}`, `[{]}`, `["\x"]`, `["\ud800"]`,
	} {
		// The level of the object too, inner is on the sixty-fifth.
		text := `{"deep":` + strings.Repeat("[", 63) + inner + strings.Repeat("]", 63) + `,"to":"x"}`
		_, want := wire.ParseJSON([]byte(inner))
		v, err := wire.ParseJSON([]byte(text))
		if !errors.Is(err, want) {
			t.Errorf("%s: deep %v, alone %v", inner, err, want)
		}
		if err == nil && v.Last("to").Text != "x" {
			t.Errorf("behind %s, deep, was read %v", inner, v.Last("to"))
		}
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[1,2.5e-3,"a\"\\\/\b\f\n\r\t\u00e4"]`, `{"a":{"b":[null,true,false]},"a":1}`, `"\ud800"`, `"\udc00\ud800"`,
		`nul`, `{"a"}`, `{"a":}`, `[1,]`, `{,}`, `-`, `-a`, `1.`, `1e`, `01`, `"`, `"\`, `"\u12`, "\"\x00\"", "\xff", "\ufeff{}", ` 1 `, `[[[`,
		strings.Repeat(`{"a":[`, 40) + `{"b":1},2` + strings.Repeat("]}", 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := wire.ParseJSON(text)
		if err == nil && !json.Valid(text) && brackets(text) < 10_000 { // encoding/json's own bound
			t.Fatalf("%q is no JSON and was read", text)
		}
		if err != nil {
			if json.Valid(text) && utf8.Valid(text) && !refusable(text) {
				t.Fatalf("%q is JSON and was refused", text)
			}
			return
		}
		if brackets(text) > 64 {
			return // it may be too deep to be read whole
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
// surrogate pair.
func refusable(text []byte) bool { return strings.Contains(strings.ToLower(string(text)), `\ud`) }

// brackets is how deep text is nested at most.
func brackets(text []byte) int {
	return bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
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
