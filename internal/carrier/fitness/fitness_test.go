package fitness_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/carrier/fitness"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

const (
	domain = "example.com"
	hash   = "FA+9qCX9VSu"
	origin = "\n@example.com #482913"
	app    = "\n" + hash
)

// segments counts as most carriers do.
func segments(text string) int { return message.Segments(text).Segments }

func text(words string) delivery.Message {
	return delivery.Message{
		Step: delivery.Step{
			Channel: message.SMS, Sender: "Acme",
			Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
		},
		Code: otp.NewCode("482913"), Expires: time.Now().Add(time.Minute),
	}
}

func TestLinesForPhonesAreAddedWhereTheyFit(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	both := fitness.Rules{WebOTPDomain: domain, AndroidHash: hash, AndroidPrefix: true}
	one := both
	one.MaxSegments = 1
	web := fitness.Rules{WebOTPDomain: domain}
	for name, c := range map[string]struct {
		rules fitness.Rules
		words string
		want  string // "" for a refusal
	}{
		"no rules":                     {fitness.Rules{}, "Code {code}", "Code 482913"},
		"origin line last":             {web, "Code {code}", "Code 482913" + origin},
		"app line":                     {fitness.Rules{AndroidHash: hash}, "Code {code}", "Code 482913" + app},
		"app line with prefix":         {fitness.Rules{AndroidHash: hash, AndroidPrefix: true}, "Code {code}", "<#> Code 482913" + app},
		"both, origin line last":       {both, "Code {code}", "<#> Code 482913" + app + origin},
		"prefix is there":              {both, "<#> Code {code}", "<#> Code 482913" + app + origin},
		"app line is there":            {both, "Code {code} " + hash, "Code 482913 " + hash + origin},
		"origin line is there":         {both, "Code\n@a.example #{code}", "Code\n@a.example #482913"},
		"the text leaves the code out": {both, "Code in your letter", "Code in your letter"},
		"the text spells the code out": {web, "Code 482913", "Code 482913" + origin},
		"140 bytes for Android":        {both, x("x", 96) + "{code}", "<#> " + x("x", 96) + "482913" + app + origin},
		"141 bytes: no app line":       {both, x("x", 98) + "{code}", x("x", 98) + "482913" + origin},
		"160 septets":                  {one, x("x", 133) + "{code}", x("x", 133) + "482913" + origin},
		"161 septets: no origin":       {one, x("x", 134) + "{code}", x("x", 134) + "482913"},
		"one segment, no line":         {one, x("x", 154) + "{code}", x("x", 154) + "482913"},
		"two segments, one allowed":    {one, x("x", 155) + "{code}", ""},
		"two segments, no limit":       {web, x("x", 154) + "{code}", x("x", 154) + "482913" + origin},
		"UCS-2 counts in its units":    {one, x("я", 40) + "{code}", x("я", 40) + "482913" + origin},
		"UCS-2: app line alone":        {one, x("я", 44) + "{code}", "<#> " + x("я", 44) + "482913" + app},
		"UCS-2: no line":               {one, x("я", 60) + "{code}", x("я", 60) + "482913"},
		"UCS-2: two, one allowed":      {one, x("я", 65) + "{code}", ""},
		"UCS-2: app line in 140":       {fitness.Rules{AndroidHash: hash}, x("я", 61) + "{code}", x("я", 61) + "482913" + app},
		"UCS-2: app line beyond 140":   {fitness.Rules{AndroidHash: hash}, x("я", 62) + "{code}", x("я", 62) + "482913"},
	} {
		m, refused := c.rules.Fit(text(c.words), segments)
		switch {
		case c.want == "" && (refused == nil || refused.Class != delivery.Permanent || !refused.Own || refused.Failure.Code != "segments" || refused.Failure.Text == ""):
			t.Errorf("%s: Fit = %q, %+v; want it refused for its segments", name, m.Text(), refused)
		case c.want != "" && (refused != nil || m.Text() != c.want):
			t.Errorf("%s: Fit = %q, %+v; want %q", name, m.Text(), refused, c.want)
		}
	}
}

func TestACodeThatBrowsersWouldCutGetsNoOriginLine(t *testing.T) {
	t.Parallel()
	web := fitness.Rules{WebOTPDomain: domain}
	both := fitness.Rules{WebOTPDomain: domain, AndroidHash: hash}
	for code, whole := range map[string]bool{
		"482913": true, "12-34": true, "a@b": true, "é1": true,
		"12-34 56": false, " 1234": false, "1234 ": false, "3#97": false, "#397": false, "12\t34": false, "12\n34": false, "12\u00a034": false,
	} {
		m := text("Code {code}")
		m.Code = otp.NewCode(code)
		line := ""
		if whole {
			line = "\n@" + domain + " #" + code
		}
		if got, refused := web.Fit(m, segments); refused != nil || got.Text() != "Code "+code+line {
			t.Errorf("code %q: Fit = %q, %+v; want %q", code, got.Text(), refused, "Code "+code+line)
		}
		if got, refused := both.Fit(m, segments); refused != nil || got.Text() != "Code "+code+app+line {
			t.Errorf("code %q: Fit for an app too = %q, %+v; want %q", code, got.Text(), refused, "Code "+code+app+line)
		}
	}
}

func TestATextsOwnOriginLineIsLeftTheLast(t *testing.T) {
	t.Parallel()
	rules := fitness.Rules{WebOTPDomain: domain, AndroidHash: hash, AndroidPrefix: true}
	for last, own := range map[string]bool{
		"@shop.example #{code}":                true,
		"@shop.example #{code} @pay.example":   true,
		"@shop.example #{code} is for the web": true,
		"@shop.example #{code} ":               true,
		"@shop.example #{code}\tof today":      true,
		"Code\r@shop.example #{code}":          true,
		"@shop.example #{code}\r":              false, // the last line is empty
		"@shop.example #{code}\n":              false,
		"@shop.example #{code}00":              false,
		"@shop.example #{code}.":               false,
		"@shop.example  #{code}":               false,
		"@shop now has #{code}":                false,
		"@ #{code}":                            false,
		"shop.example #{code}":                 false,
	} {
		m := text("Code\n" + last)
		want := m.Text()
		if !own {
			want = "<#> " + want + app + origin
		}
		if got, refused := rules.Fit(m, segments); refused != nil || got.Text() != want {
			t.Errorf("%q: Fit = %q, %+v; want %q", last, got.Text(), refused, want)
		}
	}
}

func TestPartsAreCountedAsTheCarrierMakesThem(t *testing.T) {
	t.Parallel()
	rules := fitness.Rules{MaxSegments: 2, WebOTPDomain: domain}
	half := func(text string) int { return (len(text) + 79) / 80 }
	x := strings.Repeat
	for words, want := range map[string]string{
		x("x", 133) + "{code}": x("x", 133) + "482913" + origin, // 160
		x("x", 134) + "{code}": x("x", 134) + "482913",
		x("x", 154) + "{code}": x("x", 154) + "482913", // 160
	} {
		if got, refused := rules.Fit(text(words), half); refused != nil || got.Text() != want {
			t.Errorf("%d characters: Fit = %q, %+v; want %q", len(words), got.Text(), refused, want)
		}
	}
	if _, refused := rules.Fit(text(x("x", 155)+"{code}"), half); refused == nil || refused.Failure.Code != "segments" {
		t.Errorf("Fit = %+v; want it refused for its segments", refused)
	}
}

func TestOtherChannelsAreLeftAlone(t *testing.T) {
	t.Parallel()
	rules := fitness.Rules{WebOTPDomain: domain, AndroidHash: hash, MaxSegments: 1, UnfitSender: fitness.Refuse}
	for _, c := range message.Channels() {
		if c == message.SMS {
			continue
		}
		m := text(strings.Repeat("x", 1000) + "{code}")
		m.Step.Channel, m.Step.Sender = c, "a sender of more than eleven"
		got, refused := rules.Fit(m, segments)
		if refused != nil || got.Text() != m.Text() || got.Step.Sender != m.Step.Sender {
			t.Errorf("%s: Fit = %+v, %+v; want the message as it was", c, got, refused)
		}
	}
}

func TestWhatIsSentKeepsTheLimitsAndTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := fitness.Rules{
			MaxSegments:   rapid.IntRange(0, 3).Draw(t, "max"),
			WebOTPDomain:  rapid.SampledFrom([]string{"", domain}).Draw(t, "domain"),
			AndroidHash:   rapid.SampledFrom([]string{"", hash}).Draw(t, "hash"),
			AndroidPrefix: rapid.Bool().Draw(t, "prefix"),
		}
		m := text(rapid.StringN(0, 200, -1).Draw(t, "before") + "{code}" + rapid.StringN(0, 200, -1).Draw(t, "after"))
		fit, refused := rules.Fit(m, segments)
		plain, got := m.Text(), fit.Text()
		switch n := segments(got); {
		case refused != nil:
			if rules.MaxSegments == 0 || segments(plain) <= rules.MaxSegments {
				t.Fatalf("%q refused with a limit of %d", plain, rules.MaxSegments)
			}
		case rules.MaxSegments > 0 && n > rules.MaxSegments:
			t.Fatalf("%q has %d segments; the limit is %d", got, n, rules.MaxSegments)
		case !strings.Contains(got, plain):
			t.Fatalf("%q does not hold %q", got, plain)
		}
	})
}

func TestSendersThatNoNetworkTakesAreReplacedOrRefused(t *testing.T) {
	t.Parallel()
	for sender, fit := range map[string]bool{
		"":                  true,
		"Acme":              true,
		"Tyntec GmbH":       true,
		"A-1.b_c&d e":       true,
		"12345678901A":      false, // 12
		"Acme[1234]":        false, // 12 septets
		"Acme`":             false, // not in GSM 03.38
		"Müller":            false,
		"Ac\nme":            false,
		"+-.":               false,
		"+4930123456":       true,
		"+123456":           false,
		"+1234567890123456": false,
		"123":               true,
		"12":                false,
		"123456789012345":   true,
		"1234567890123456":  false,
		"+":                 false,
		" ":                 false,
	} {
		if got := fitness.Sender(sender); got != fit {
			t.Errorf("Sender(%q) = %v; want %v", sender, got, fit)
		}
		m := text("{code}")
		m.Step.Sender = sender
		want := sender
		if !fit {
			want = ""
		}
		if got, refused := (fitness.Rules{}).Fit(m, segments); refused != nil || got.Step.Sender != want {
			t.Errorf("Fit from %q = from %q, %+v; want from %q", sender, got.Step.Sender, refused, want)
		}
		_, refused := fitness.Rules{UnfitSender: fitness.Refuse}.Fit(m, segments)
		if (refused == nil) != fit || refused != nil && (refused.Class != delivery.Permanent || !refused.Own || refused.Failure.Code != "sender") {
			t.Errorf("Fit from %q = %+v; want it refused unless it is fit", sender, refused)
		}
	}
}

func TestWrongRulesNameTheirKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules fitness.Rules
		key   string
	}{
		"none":            {fitness.Rules{}, ""},
		"all":             {fitness.Rules{UnfitSender: "refuse", MaxSegments: 2, WebOTPDomain: "a-b.example.com", AndroidHash: hash, AndroidPrefix: true}, ""},
		"sender":          {fitness.Rules{UnfitSender: "drop"}, "unfit_sender"},
		"below":           {fitness.Rules{MaxSegments: -1}, "max_segments"},
		"above":           {fitness.Rules{MaxSegments: 256}, "max_segments"},
		"scheme":          {fitness.Rules{WebOTPDomain: "https://example.com"}, "webotp_domain"},
		"port":            {fitness.Rules{WebOTPDomain: "example.com:443"}, "webotp_domain"},
		"path":            {fitness.Rules{WebOTPDomain: "example.com/a"}, "webotp_domain"},
		"upper case":      {fitness.Rules{WebOTPDomain: "Example.com"}, "webotp_domain"},
		"no dot":          {fitness.Rules{WebOTPDomain: "example"}, "webotp_domain"},
		"beyond ASCII":    {fitness.Rules{WebOTPDomain: "bücher.example"}, "webotp_domain"},
		"long":            {fitness.Rules{WebOTPDomain: strings.Repeat("a.", 127) + "a"}, "webotp_domain"},
		"line":            {fitness.Rules{WebOTPDomain: "example.com\n"}, "webotp_domain"},
		"short hash":      {fitness.Rules{AndroidHash: hash[1:]}, "android_hash"},
		"no base64":       {fitness.Rules{AndroidHash: "FA+9qCX9VS="}, "android_hash"},
		"hash and a line": {fitness.Rules{AndroidHash: "FA+9qCX9VS\n"}, "android_hash"},
	} {
		err := c.rules.Validate()
		key := ""
		if e, ok := errors.AsType[*setting.KeyError](err); ok {
			key = e.Key
		}
		if key != c.key || (err == nil) != (c.key == "") {
			t.Errorf("%s: Validate = %v; want the key %q", name, err, c.key)
		}
		if c.key != "" && c.rules.SetKey() != c.key {
			t.Errorf("%s: SetKey = %q; want %q", name, c.rules.SetKey(), c.key)
		}
	}
	if got := (fitness.Rules{AndroidPrefix: true}).SetKey(); got != "" {
		t.Errorf("SetKey = %q; want none, as the prefix alone does nothing", got)
	}
}
