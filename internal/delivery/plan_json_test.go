package delivery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

func TestAPlanIsStoredAsEncodingJSONWritesIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[ -~]{0,12}`), rapid.String(), rapid.Custom(func(t *rapid.T) string {
			return string(rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes"))
		}))
		step := rapid.Custom(func(t *rapid.T) delivery.Step {
			var s delivery.Step
			s.Channel = message.Channel(text.Draw(t, "channel"))
			s.Text = message.Parse(text.Draw(t, "text"), []message.Placeholder{{Token: rapid.StringMatching(`[a-z {]`).Draw(t, "token"), Code: true}})
			for _, field := range []*string{&s.Sender, &s.Language, &s.Voice, &s.Template, &s.AccountRef, &s.Name} {
				*field = text.Draw(t, "field")
			}
			s.Life = time.Duration(rapid.Int64().Draw(t, "life"))
			s.Wait = time.Duration(rapid.Int64Range(0, 2).Draw(t, "wait"))
			s.Unroutable = rapid.Bool().Draw(t, "unroutable")
			return s
		})
		plan := delivery.Plan{Steps: rapid.SliceOfN(step, 0, 3).Draw(t, "steps"), Spare: rapid.SliceOfN(step, 0, 2).Draw(t, "spare")}
		if rapid.Bool().Draw(t, "no steps") {
			plan.Steps = nil
		}
		want, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(plan.Encoded())); d != "" {
			t.Errorf("the stored plan (-encoding/json +Encoded):\n%s", d)
		}
	})
}
