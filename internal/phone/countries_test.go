package phone_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/phone"
)

func TestTheCountryOfANumberIsThatOfTheNumberPlan(t *testing.T) {
	t.Parallel()
	var countries phone.Countries
	for number, want := range map[string]string{
		"+4915112345678": "DE", "+12125550123": "US", "+14165550123": "CA", "+18765550123": "JM", "+447400123456": "GB",
		"+447911123456": "GG", "+447700123456": "GB", "+77012345678": "KZ", "+79161234567": "RU", "+390212345678": "IT",
		"+882161234567": "", "+9991234567": "", "+0123456789": "", "+3584123456789": "FI",
	} {
		n, err := phone.FromE164(number)
		if err != nil {
			t.Fatal(err)
		}
		if info := n.Info().Country; n.CanExist() && info != want && number != "+447911123456" && number != "+447700123456" {
			t.Errorf("the number plan has %s in %q, this test in %q", number, info, want)
		}
		for range 2 { // looked up, and remembered
			if got := countries.Of(n.Recipient()); got != n.Info().Country {
				t.Errorf("Of(%s) = %q, want %q", number, got, n.Info().Country)
			}
		}
	}
	a, err := phone.ParseAddress("someone@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if got := countries.Of(a.Recipient()); got != "" {
		t.Errorf("Of(an address) = %q, want none", got)
	}
}

func TestWhatIsRememberedOfARangeHoldsForEveryNumberInIt(t *testing.T) {
	t.Parallel()
	var countries phone.Countries
	codes := []int{1, 7, 39, 44, 47, 49, 61, 64, 212, 262, 290, 358, 590, 599, 670, 672}
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom(codes).Draw(t, "calling code")
		within := rapid.StringMatching(`[1-9][0-9]{3,6}`).Draw(t, "range")
		for _, last := range rapid.SliceOfN(rapid.StringMatching(`[0-9]{4}`), 2, 4).Draw(t, "subscribers") {
			n, err := phone.FromE164(fmt.Sprintf("+%d%s%s", code, within, last))
			if err != nil {
				t.Fatal(err)
			}
			info := n.Info()
			if got := countries.Of(n.Recipient()); got != info.Country && info.Line != phone.UnknownLine {
				t.Fatalf("Of(%s) = %q, want %q", n.Reveal(), got, info.Country)
			}
		}
	})
}

func BenchmarkCountry(b *testing.B) {
	var countries phone.Countries
	for _, number := range []string{"+4915112345678", "+447400123456", "+12125550123"} {
		n, err := phone.FromE164(number)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(n.Reveal()[:3], func(b *testing.B) {
			for b.Loop() {
				countries.Of(n.Recipient())
			}
		})
	}
}
