package route_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/route"
)

type carrier string

func (c carrier) Name() string { return string(c) }
func (carrier) Dedupes() bool  { return false }

func (carrier) Submit(context.Context, delivery.Message) delivery.Result {
	return delivery.Result{Class: delivery.Accepted}
}

// only returns choices without weights.
func only(names ...string) []route.Choice {
	var out []route.Choice
	for _, n := range names {
		out = append(out, route.Choice{Carrier: n})
	}
	return out
}

func table(t *testing.T, rules ...route.Rule) *route.Table {
	t.Helper()
	tab, err := route.NewTable(rules, []delivery.Carrier{carrier("a"), carrier("b"), carrier("c"), carrier("d")})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func number(t *testing.T, text string) phone.Recipient {
	t.Helper()
	n, err := phone.FromE164(text)
	if err != nil {
		t.Fatal(err)
	}
	return n.Recipient()
}

func names(all []delivery.Carrier) string {
	var out []string
	for _, c := range all {
		out = append(out, c.Name())
	}
	return strings.Join(out, " ")
}

func TestTheMostSpecificRuleDecidesAndAmongEqualsTheFirst(t *testing.T) {
	t.Parallel()
	sms := []message.Channel{message.SMS}
	tab := table(
		t,
		route.Rule{Source: "1", Channels: sms, Choices: only("d")},
		route.Rule{Source: "2", Channels: sms, Prefixes: []string{"+1", "+44"}, Choices: only("a")},
		route.Rule{Source: "3", Channels: sms, Countries: []string{"CA", "DE"}, Choices: only("b", "d")},
		route.Rule{Source: "4", Channels: sms, Prefixes: []string{"+49151", "+1204"}, Choices: only("c")},
		route.Rule{Source: "5", Channels: sms, Prefixes: []string{"+44"}, Choices: only("c")},
		route.Rule{Source: "6", Channels: []message.Channel{message.Voice}, Prefixes: []string{"+49"}, Choices: only("b", "a")},
	)
	for _, c := range []struct {
		channel  message.Channel
		to, want string
	}{
		{message.SMS, "+4915112345678", "c"},   // a prefix longer than the country's calling code
		{message.SMS, "+4917112345678", "b d"}, // the country
		{message.SMS, "+16135550123", "b d"},   // a country comes before its own calling code
		{message.SMS, "+12045550123", "c"},     // and after what is longer
		{message.SMS, "+12125550123", "a"},     // the same calling code, another country
		{message.SMS, "+447400123456", "a"},    // two alike: the first of the list
		{message.SMS, "+33612345678", "d"},     // nothing fits but the rule for everybody
		{message.Voice, "+4917112345678", "b a"},
		{message.Voice, "+33612345678", ""},
		{message.Viber, "+4917112345678", ""},
	} {
		if got := names(tab.Route(c.channel, number(t, c.to), "")); got != c.want {
			t.Errorf("%s to %s goes to %q; want %q", c.channel, c.to, got, c.want)
		}
	}
	if got := tab.Channels(); !slices.Equal(got, []message.Channel{message.SMS, message.Voice}) {
		t.Errorf("Channels() = %v; want SMS and VOICE", got)
	}
}

func TestAnAddressFitsOnlyRulesForEverybody(t *testing.T) {
	t.Parallel()
	address, err := phone.ParseAddress("user@example.com")
	if err != nil {
		t.Fatal(err)
	}
	mail := []message.Channel{message.Email}
	tab := table(
		t,
		route.Rule{Channels: mail, Countries: []string{"DE"}, Choices: only("a")},
		route.Rule{Channels: mail, Prefixes: []string{"+4"}, Choices: only("b")},
		route.Rule{Channels: mail, Choices: only("c")},
	)
	if got := names(tab.Route(message.Email, address.Recipient(), "")); got != "c" {
		t.Errorf("an address goes to %q; want c", got)
	}
}

func TestWeightsSayHowOftenACarrierIsFirstAndEveryTryOfADeliveryFindsTheSame(t *testing.T) {
	t.Parallel()
	tab := table(t, route.Rule{Channels: []message.Channel{message.SMS}, Choices: []route.Choice{{"a", 3}, {"b", 1}, {"c", 0}}})
	to := number(t, "+4915112345678")
	const n = 40_000
	first := map[string]int{}
	for i := range n {
		dedupe := fmt.Sprintf("0b7c2f0e-5a44-4c1e-9d7e-%012d", i)
		got := names(tab.Route(message.SMS, to, dedupe))
		if again := names(tab.Route(message.SMS, to, dedupe)); got != again {
			t.Fatalf("a second try is offered to %q, the first was to %q", again, got)
		}
		first[got]++
	}
	want := map[string]float64{"a b c": .75, "b a c": .25}
	for order, share := range want {
		if got := float64(first[order]) / n; math.Abs(got-share) > .02 {
			t.Errorf("order %q has a share of %.3f; want %.2f", order, got, share)
		}
	}
	if len(first) != len(want) {
		t.Errorf("orders %v; want those of %v only", first, want)
	}
}

func TestACarrierThatDoesNotExistIsNamedWithItsRule(t *testing.T) {
	t.Parallel()
	_, err := route.NewTable([]route.Rule{{Source: "x.toml:7", Choices: only("gone")}}, nil)
	if err == nil || err.Error() != `x.toml:7: there is no carrier "gone"` {
		t.Errorf("NewTable = %v; want the rule and the carrier named", err)
	}
}

func TestAnExplanationNamesEveryRuleOfTheChannelAndWhichOneDecides(t *testing.T) {
	t.Parallel()
	sms := []message.Channel{message.SMS}
	tab := table(
		t,
		route.Rule{Source: "f:1", Channels: sms, Choices: only("d")},
		route.Rule{Source: "f:2", Channels: sms, Countries: []string{"DE"}, Choices: []route.Choice{{"a", 2}, {"b", 1}}},
		route.Rule{Source: "f:3", Channels: sms, Prefixes: []string{"+43"}, Choices: only("c")},
	)
	got := tab.Explain(message.SMS, number(t, "+4915112345678"))
	want := route.Explanation{
		Country: "DE", Choices: []route.Choice{{"a", 2}, {"b", 1}},
		Verdicts: []route.Verdict{
			{Source: "f:2", Condition: "country DE", Fits: true, Decides: true},
			{Source: "f:3", Condition: "prefix +43"},
			{Source: "f:1", Condition: "everybody", Fits: true},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Explain (-want +got):\n%s", d)
	}
	if !got.Weighted() {
		t.Error("Weighted() = false; want true")
	}
}

func TestPrefixesAndCountriesAreChecked(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{"+49": true, "+1204": true, "49": false, "+": false, "+0": false, "+49a": false, "+1234567890123456": false, "": false} {
		if err := route.CheckPrefix(text); (err == nil) != ok {
			t.Errorf("CheckPrefix(%q) = %v; want it right: %t", text, err, ok)
		}
	}
	for code, ok := range map[string]bool{"DE": true, "US": true, "de": false, "XX": false, "D": false, "DEU": false, "": false} {
		if err := route.CheckCountry(code); (err == nil) != ok {
			t.Errorf("CheckCountry(%q) = %v; want it right: %t", code, err, ok)
		}
	}
}

func TestARouterLeadsNowhereUntilItHasATable(t *testing.T) {
	t.Parallel()
	var r route.Router
	to := number(t, "+4915112345678")
	if got := r.Route(message.SMS, to, ""); len(got) != 0 {
		t.Errorf("Route = %v; want none", got)
	}
	r.Set(table(t, route.Rule{Channels: []message.Channel{message.SMS}, Choices: only("a")}))
	if got := names(r.Route(message.SMS, to, "")); got != "a" {
		t.Errorf("Route = %q; want a", got)
	}
}
