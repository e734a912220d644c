package octopush_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/verify"
)

// The tests below that begin with a number are the acceptance examples of the
// contract.

func TestO01SixDigitsGoOutBySMS(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.sendBody(`{"phone_number":"+33612345678"}`)
	if s.Message != "success" || !strings.HasPrefix(s.body, `{"code":0,"message":"success","ticket_number":"`) {
		t.Errorf("answer %s", s.body)
	}
	matches(t, "ticket", s.Ticket, `sms_[0-9a-f]{13}`)
	matches(t, "token", s.Token, `otp_[0-9a-f]{24}`)
	matches(t, "text", s.text, `[0-9]{6}`)
	if s.message.Step.Channel != message.SMS || s.message.Recipient.Reveal() != number {
		t.Errorf("sent on %s", s.message.Step.Channel)
	}
}

func TestO02NamesOfHeadersHaveNoCase(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, path := range []string{generatePath, generatePath + "/"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader(`{"phone_number":"+33612345678"}`))
		h.must(err)
		r.Header["API-Login"] = []string{" OPS@Example.org "}
		r.Header["API-KEY"] = []string{" " + key + " "}
		got, err := h.client.Do(r)
		h.must(err)
		if got.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", path, got.StatusCode)
		}
		got.Body.Close()
	}
}

func TestO03CredentialsAreAskedForInOrder(t *testing.T) {
	t.Parallel()
	h := start(t)
	const body = `{"phone_number":"+33612345678"}`
	for _, c := range []struct {
		headers []header
		code    int
	}{
		{[]header{{"api-login", ""}}, 108},
		{[]header{{"api-key", ""}}, 109},
		{[]header{{"api-key", "k3"}}, 101},
		{[]header{{"api-login", ""}, {"api-key", ""}}, 108},
		{[]header{{"api-login", "  "}}, 108},
		{[]header{{"api-key", " "}}, 109},
		{[]header{{"api-login", "nobody@example.org"}}, 101},
		{[]header{{"api-login", "other@example.org"}}, 101},
		{[]header{{"api-key", otherKey}}, 101},
		{[]header{{"api-key", strings.ToUpper(key)}}, 101},
	} {
		h.generate(body, c.headers...).wants(http.StatusUnauthorized, c.code)
		h.validate(`{}`, c.headers...).wants(http.StatusUnauthorized, c.code)
		h.generate(`{`, c.headers...).wants(http.StatusUnauthorized, c.code) // credentials come first
	}
	h.must(h.store.RevokeKey(t.Context(), "ops"))
	h.generate(body).wants(http.StatusUnauthorized, 101)
}

func TestO04ATextThatEndsInABlankGetsTheCodeBehindIt(t *testing.T) {
	t.Parallel()
	matches(t, "text", start(t).send(`"text":"Your verification code: "`).text, `Your verification code: [0-9]{6}`)
}

func TestO05ATextWithoutTheCodeGetsABlankAndTheCode(t *testing.T) {
	t.Parallel()
	matches(t, "text", start(t).send(`"text":"Code"`).text, `Code [0-9]{6}`)
}

func TestO06PlaceholdersBecomeCodeAndTimeOfExpiry(t *testing.T) {
	t.Parallel()
	s := start(t).send(`"text":"Use {code} until {hh:mm:ss}","validity_period":90`)
	matches(t, "text", s.text, `Use [0-9]{6} until 00:01:30`)
}

func TestO07LengthsAreCastAndMovedIntoTheirRange(t *testing.T) {
	t.Parallel()
	h := start(t)
	for given, want := range map[string]int{
		`"8"`: 8, `8.7`: 8, `3`: 4, `99`: 32, `0`: 6, `"abc"`: 6, `null`: 6, `[8]`: 6, `-5`: 6, `" +8.0 "`: 8, `1e1`: 10, `99999999999999999999`: 6,
	} {
		if s := h.send(`"code_length":` + given); len(s.code) != want {
			t.Errorf("code_length %s made %d characters; want %d", given, len(s.code), want)
		}
	}
}

func TestO08CapitalsOnly(t *testing.T) {
	t.Parallel()
	matches(t, "code", start(t).send(`"allow_digits":"no","allow_upper_case":1`).code, `[A-Z]{6}`)
}

func TestO09NothingAllowedIsDigits(t *testing.T) {
	t.Parallel()
	matches(t, "code", start(t).send(`"allow_digits":false`).code, `[0-9]{6}`)
}

func TestO10SmallLettersOnly(t *testing.T) {
	t.Parallel()
	s := start(t).send(`"allow_lower_case":"YES","allow_digits":false,"code_length":32`)
	matches(t, "code", s.code, `[a-z]{32}`)
}

func TestO11SpecialCharactersOnly(t *testing.T) {
	t.Parallel()
	s := start(t).send(`"allow_special_chars":true,"allow_digits":false,"code_length":32`)
	matches(t, "code", s.code, `[!#$%&?@]{32}`)
}

func TestO12ConfusingCharactersAreLeftOutOfMixedCodes(t *testing.T) {
	t.Parallel()
	h := start(t)
	for range 500 {
		h.generate(`{"phone_number":"+33612345678","allow_digits":true,"allow_upper_case":true,"remove_confusing_characters":true,"code_length":32}`).wants(200, 0)
	}
	h.settle()
	seen := map[rune]bool{}
	for _, m := range h.carrier.all() {
		for _, c := range m.Code.Reveal() {
			seen[c] = true
		}
	}
	if len(seen) != 10+26-4 || seen['0'] || seen['O'] || seen['1'] || seen['I'] {
		t.Errorf("16,000 characters are of %d kinds; want 32 without 0 O 1 I", len(seen))
	}
}

func TestO13DigitsAloneConfuseNobody(t *testing.T) {
	t.Parallel()
	h := start(t)
	var codes strings.Builder
	for range 20 {
		codes.WriteString(h.send(`"remove_confusing_characters":true,"code_length":32`).code)
	}
	if !strings.Contains(codes.String(), "0") || !strings.Contains(codes.String(), "1") {
		t.Errorf("no 0 or no 1 in %d digits", codes.Len())
	}
	special := h.send(`"remove_confusing_characters":true,"allow_special_chars":true,"code_length":32`).code
	matches(t, "code with one kind of three", special, `[0-9!#$%&?@]{32}`)
}

func TestO14ACallInFrenchByAMan(t *testing.T) {
	t.Parallel()
	s := start(t).send(`"channel":"VOICE_SMS","voice_language":"fr_fr","voice_gender":"M"`)
	step := s.message.Step
	if step.Channel != message.Voice || step.Language != "fr-FR" || step.Voice != "male" {
		t.Errorf("sent on %s in %s by %s", step.Channel, step.Language, step.Voice)
	}
	matches(t, "ticket", s.Ticket, `voc_[0-9a-f]{13}`)
	matches(t, "text", s.text, `[0-9](, [0-9]){5}`)
}

func TestO15OtherWordsForSMSAndChannelsNotOfferedAreSMS(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, channel := range []string{`"text_sms"`, `"email"`, `7`, `" Text-SMS "`, `"whatsapp"`, `true`} {
		if s := h.send(`"channel":` + channel); s.message.Step.Channel != message.SMS {
			t.Errorf("channel %s was sent on %s", channel, s.message.Step.Channel)
		}
	}
	for _, channel := range []string{"voice", "sms_voice", "Voice-SMS"} {
		if s := h.send(`"channel":"` + channel + `"`); s.message.Step.Channel != message.Voice {
			t.Errorf("channel %s was sent on %s", channel, s.message.Step.Channel)
		}
	}
}

func TestO16UnknownVoicesAreTheDefaultOnes(t *testing.T) {
	t.Parallel()
	step := start(t).send(`"channel":"voice_sms","voice_language":"xx-XX","voice_gender":"robot"`).message.Step
	if step.Channel != message.Voice || step.Language != "en-US" || step.Voice != "female" {
		t.Errorf("sent on %s in %s by %s", step.Channel, step.Language, step.Voice)
	}
}

func TestO17ASenderIsRepaired(t *testing.T) {
	t.Parallel()
	if s := start(t).send(`"sender":"My Shop! GmbH & Co"`); s.message.Step.Sender != "MyShopGmbHC" {
		t.Errorf("sender %q", s.message.Step.Sender)
	}
}

func TestO18ASenderBeyondRepairIsTheDefaultOne(t *testing.T) {
	t.Parallel()
	if s := start(t).send(`"sender":"A!"`); s.message.Step.Sender != "OTP" {
		t.Errorf("sender %q", s.message.Step.Sender)
	}
}

func TestO19NumbersAreReadInManySpellings(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, spelling := range []string{
		`33612345678`, `"0033 6 12-34.56.78"`, `"33612345678"`, `33612345678.0`, `3.3612345678e10`, `"(+33) 612 345 678"`,
	} {
		if s := h.sendBody(`{"phone_number":` + spelling + `}`); s.message.Recipient.Reveal() != number {
			t.Errorf("%s was sent elsewhere", spelling)
		}
	}
}

func TestO20NumbersThatAreNone(t *testing.T) {
	t.Parallel()
	h := start(t)
	for body, code := range map[string]int{
		`{}`: 110, `{"phone_number":""}`: 110, `{"phone_number":true}`: 110, `{"phone_number":"abc"}`: 117, `{"phone_number":"+99912345678"}`: 150,
		`{"phone_number":null}`: 110, `{"phone_number":[]}`: 110, `{"phone_number":{}}`: 110, `{"phone_number":"  "}`: 110,
		`{"phone_number":` + strings.Repeat("1", 65) + `}`: 117, `{"phone_number":1e70}`: 117, `{"phone_number":1e-70}`: 117,
		`{"phone_number":"+336"}`: 117, `{"phone_number":0}`: 117, `{"phone_number":"0612345678"}`: 150, `{"Phone_Number":"+33612345678"}`: 110,
	} {
		h.generate(body).wants(http.StatusBadRequest, code)
	}
	h.settle()
	if n := len(h.carrier.all()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestO21BodiesThatAreNoObject(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, body := range []string{`[]`, `{`, ``, `7`, `"x"`, `null`, " \r\n", "\uFEFF", `{"a":1}{}`, `[`, `{"a":}`} {
		h.generate(body).wants(http.StatusBadRequest, 100)
		h.validate(body).wants(http.StatusBadRequest, 100)
	}
	h.generate(`{"a":"`+strings.Repeat("x", 64<<10)+`"}`).wants(http.StatusRequestEntityTooLarge, 100)
}

func TestO22TheLabelOfABodyMeansNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	const form = "phone_number=%2B33612345678&code_length=4"
	for _, c := range []struct {
		body, media string
		length      int
	}{
		{`{"phone_number":"+33612345678"}`, "text/plain", 6},
		{form, "application/x-www-form-urlencoded", 4},
		{`{"phone_number":"+33612345678","code_length":4}`, "application/x-www-form-urlencoded", 4},
		{form, "application/json", 4},
		{form, "", 4},
		{"\uFEFF" + ` {"phone_number":"+33612345678"}`, "application/json; charset=latin1", 6},
		{"\uFEFF" + form + "\n", "multipart/form-data", 4},
		{"phone_number=+33612345678&code_length=+4+&text=a+b%", "", 4}, // a raw plus is a blank
	} {
		if s := h.sendBody(c.body, header{"Content-Type", c.media}); len(s.code) != c.length || s.message.Recipient.Reveal() != number {
			t.Errorf("%s as %q made %d characters; want %d", c.body, c.media, len(s.code), c.length)
		}
	}
}

func TestO40ASimulationSendsAndStoresNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	a := h.generate(`{"phone_number":"+33612345678","simulation_mode":"true"}`).wants(http.StatusOK, 0)
	matches(t, "token", a.Token, `otp_[0-9a-f]{24}`)
	matches(t, "ticket", a.Ticket, `sms_[0-9a-f]{13}`)
	h.settle()
	if n := len(h.carrier.all()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
	h.check(a.Token, "123456").wants(http.StatusBadRequest, 198)
	h.validate(`{"phone_number":"+33612345678","code":"123456"}`).wants(http.StatusBadRequest, 198)
	h.generate(`{"phone_number":"abc","simulation_mode":true}`).wants(http.StatusBadRequest, 117)
}

func TestO41ALongTextIsCutAndNotTheCode(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send(`"text":"` + strings.Repeat("x", 2000) + `"`)
	if len(s.text) != 1224 || !strings.HasSuffix(s.text, s.code) {
		t.Errorf("the message has %d characters and ends in %q", len(s.text), s.text[max(len(s.text)-8, 0):])
	}
	s = h.send(`"channel":"voice","text":"` + strings.Repeat("é", 1224) + `{code}"`)
	if n := len([]rune(s.text)); n != 1224 || !strings.HasSuffix(s.text, strings.Join(strings.Split(s.code, ""), ", ")) {
		t.Errorf("the spoken message has %d characters and ends in %q", n, s.text[len(s.text)-20:])
	}
}

func TestO44OtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPost, validatePath, "PUT"},
		{http.MethodPut, generatePath, "POST"},
		{http.MethodGet, generatePath + "/", "POST"},
		{http.MethodDelete, validatePath, "PUT"},
	} {
		a := h.do(c.method, c.path, `{"phone_number":"+33612345678"}`).wants(http.StatusMethodNotAllowed, 100)
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow %q; want %q", c.method, c.path, got, c.allow)
		}
	}
	h.do(http.MethodPost, "/v1/public/service/otp", "{}").wants(http.StatusNotFound, 100)
	h.do(http.MethodPost, generatePath+"//", "{}").wants(http.StatusNotFound, 100)
}

func TestO45ASuspendedAccountIsToldSo(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	h.must(h.store.SetSuspended(t.Context(), "ops", true))
	h.generate(`{"phone_number":"+33612345678"}`).wants(http.StatusForbidden, 114)
	h.check(s.Token, s.code).wants(http.StatusForbidden, 114)
}

func TestO46UnknownMembersAreIgnored(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send(`"unknown":{"a":[1]},"validity_period":"86400"`)
	if life := h.record(s.Token).Life; life != 24*time.Hour {
		t.Errorf("life %s", life)
	}
}

func (h *harness) record(token string) verify.Record {
	h.t.Helper()
	r, err := h.store.OTP(h.t.Context(), verify.Ref{Account: "ops", Origin: "octopush", ID: token})
	h.must(err)
	return r
}

func TestTheLifeIsMovedIntoItsRange(t *testing.T) {
	t.Parallel()
	h := start(t)
	for given, seconds := range map[string]int{`1`: 3, `3`: 3, `10000000`: 10_000_000, `10000001`: 10_000_000, `0`: 300, `-1`: 300, `"x"`: 300} {
		if r := h.record(h.send(`"validity_period":` + given).Token); r.Life != time.Duration(seconds)*time.Second {
			t.Errorf("validity_period %s lasts %s; want %d s", given, r.Life, seconds)
		}
	}
	for given, allowed := range map[string]int{`1`: 1, `"10"`: 10, `11`: 10, `0`: 3} {
		if r := h.record(h.send(`"max_wrong_attempts":` + given).Token); r.Allowed != allowed {
			t.Errorf("max_wrong_attempts %s allows %d; want %d", given, r.Allowed, allowed)
		}
	}
}

func TestTheAccountsSettingsAreTheDefaults(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{settings: map[string]string{
		"octopush.channel": "voice_sms", "octopush.text": "Dial {code} by {hh:mm:ss}", "octopush.code_length": "5",
		"octopush.allow_digits": "false", "octopush.allow_lower_case": "true", "octopush.validity_period": "60",
		"octopush.max_wrong_attempts": "1", "octopush.voice_language": "de-DE", "octopush.voice_gender": "male",
		"octopush.sender": "ACME", "octopush.choose_sender": "false", "octopush.max_validity_period": "120",
		"country": "FR", "timezone": "Europe/Paris", "caller": "+33100000000",
	}})
	s := h.sendBody(`{"phone_number":"06 12 34 56 78","channel":"fax","code_length":null}`)
	step := s.message.Step
	if step.Channel != message.Voice || step.Language != "de-DE" || step.Voice != "male" || step.Sender != "+33100000000" {
		t.Errorf("sent on %s in %s by %s from %s", step.Channel, step.Language, step.Voice, step.Sender)
	}
	matches(t, "text", s.text, `Dial [a-z](, [a-z]){4} by 01:01:00`)
	if s.message.Recipient.Reveal() != number {
		t.Error("a national number was not read in the account's country")
	}
	h.check(s.Token, "00000").leaves(0)
	s = h.send(`"channel":"sms","sender":"Mine","validity_period":100000,"text":""`)
	if s.message.Step.Sender != "ACME" || h.record(s.Token).Life != 2*time.Minute {
		t.Errorf("sender %q, life %s", s.message.Step.Sender, h.record(s.Token).Life)
	}
}

func TestEveryPlaceholderIsReplacedOnceAndNotAgain(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send(`"text":"{code}{code} {Code} {{code}} {hh:mm} \u0000{hh:mm:ss}"`)
	if want := s.code + s.code + " {Code} {" + s.code + "} {hh:mm} 00:05:00"; s.text != want {
		t.Errorf("text %q; want %q", s.text, want)
	}
	s = h.send(`"text":42`)
	if s.text != "42 "+s.code {
		t.Errorf("text %q", s.text)
	}
	s = h.send(`"text":"` + strings.Repeat("{code}", 300) + `"`)
	if n := len(s.text); n > 1224 || strings.ReplaceAll(s.text, s.code, "") != "" {
		t.Errorf("%d characters that are not all the code", n)
	}
}

func TestOfAParameterThatComesTwiceTheLastCounts(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, body := range []string{
		`{"code_length":9,"phone_number":"+447400123456","phone_number":"+33612345678","code_length":5}`,
		"code_length=9&phone_number=%2B447400123456&phone_number=%2B33612345678&code_length=5",
	} {
		if s := h.sendBody(body); len(s.code) != 5 || s.message.Recipient.Reveal() != number {
			t.Errorf("%s made %d characters for %s", body, len(s.code), s.message.Recipient)
		}
	}
	s := h.send("")
	h.validate(`{"otp_request_token":"` + s.Token + `","code":"` + s.code + `","code":"` + wrong(s.code) + `"}`).leaves(2)
	h.validate("code=" + wrong(s.code) + "&otp_request_token=x&otp_request_token=" + s.Token + "&code=" + s.code).right()
}

func TestTwoHeadersAreNoCredential(t *testing.T) {
	t.Parallel()
	h := start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.server.URL+generatePath, strings.NewReader(`{"phone_number":"+33612345678"}`))
	h.must(err)
	r.Header.Set("api-login", login)
	r.Header["Api-Key"] = []string{key, key}
	got, err := h.client.Do(r)
	h.must(err)
	got.Body.Close()
	if got.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", got.StatusCode)
	}
}

func TestTooManySendsAreRefusedWithAWait(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{limited: true})
	for range 10 {
		h.send("")
	}
	a := h.generate(`{"phone_number":"0033612345678"}`).wants(http.StatusTooManyRequests, 128)
	if wait, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || wait != 3600 {
		t.Errorf("Retry-After %q; want 3600", a.header.Get("Retry-After"))
	}
	h.settle()
	if n := len(h.carrier.all()); n != 10 {
		t.Errorf("%d messages were sent; want 10", n)
	}
	h.generate(`{"phone_number":"abc"}`).wants(http.StatusBadRequest, 117) // limits are asked last
}
