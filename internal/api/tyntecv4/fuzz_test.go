package tyntecv4_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/api/tyntecv4"
)

// FuzzDecode compares the decoder with the coercion rules of contract v4 §2
// applied to what encoding/json says.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ``, `{"to":"+4915112345678","profileName":"login"}`, `{"to":483920,"profileName":null}`,
		`{"to":"a","to":"b"}`, `{"To":"a"}`, `{"to":1.5}`, `{"to":{}}`, `{"to":["a"]}`, `{"to":true}`, `{"to":0012}`,
		`{"to":"\ud800"}`, `{"to":"\ud83d\ude00"}`, "{\"to\":\"\xff\"}", `{"to":123456789012345678901234567890}`,
		`{"channels":[{"type":"SMS","templates":[{"name":"a"},null]},null],"headers":{"a":1,"b":null,"c":true}}`,
		`{"name":`, `{"to":"a"}x`, ` {"to" : "a" } `,
	} {
		f.Add([]byte(seed))
	}
	names := []string{"to", "profileName"}
	f.Fuzz(func(t *testing.T, body []byte) {
		tyntecv4.DecodeEverything(body)
		got, err := tyntecv4.DecodeTexts(body, names...)
		if err != nil && !errors.Is(err, tyntecv4.ErrUnreadable) {
			t.Fatalf("error %v", err)
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil || members == nil {
			if err == nil {
				t.Fatalf("%q was read as %v", body, got)
			}
			return
		}
		if err != nil {
			return // the decoder also refuses what has no meaning, such as half a surrogate pair
		}
		want := map[string]string{}
		for _, n := range names {
			raw := string(members[n])
			switch {
			case raw == "" || raw == "null":
			case raw[0] == '"':
				var s string
				if err := json.Unmarshal(members[n], &s); err != nil {
					t.Fatal(err)
				}
				want[n] = s
			case strings.ContainsAny(raw, "{[tf.eE"):
				t.Fatalf("%q: %s = %s was read", body, n, raw)
			default:
				want[n] = raw
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", body, diff)
		}
	})
}
