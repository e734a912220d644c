package octopush_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

func TestO23TheRightCodeIsRight(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	h.check(s.Token, s.code).right()
	s = h.send("")
	h.do(http.MethodPut, validatePath+"/", "otp_request_token="+s.Token+"&code="+s.code).right()
}

func TestO24ACodeIsRightOnce(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	h.check(s.Token, s.code).right()
	h.check(s.Token, s.code).wants(http.StatusBadRequest, 198)
	h.check(s.Token, wrong(s.code)).wants(http.StatusBadRequest, 198)
	h.wall.Add(time.Hour)
	h.check(s.Token, s.code).wants(http.StatusBadRequest, 198)
}

func TestO25AWrongCodeTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	a := h.check(s.Token, wrong(s.code))
	a.leaves(2)
	if want := `{"code":199,"message":"Wrong OTP code.","remaining_number_of_attempts":2}`; a.body != want {
		t.Errorf("answer %s; want %s", a.body, want)
	}
}

func TestO26WrongCodesLockTheOTPForGood(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	for left := 2; left >= 0; left-- {
		h.check(s.Token, wrong(s.code)).leaves(left)
	}
	for range 2 {
		h.check(s.Token, s.code).wants(http.StatusBadRequest, 196)
		h.check(s.Token, wrong(s.code)).wants(http.StatusBadRequest, 196)
		h.validate(`{"phone_number":"+33612345678","code":"`+s.code+`"}`).wants(http.StatusBadRequest, 196)
		h.wall.Add(time.Hour) // also after its lifetime
	}
}

func TestO27TheAllowanceIsTheRequests(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send(`"max_wrong_attempts":"5"`)
	h.check(s.Token, wrong(s.code)).leaves(4)
	h.check(s.Token, wrong(s.code)).leaves(3)
	h.check(s.Token, s.code).right()
}

func TestO28ALifeEndsAtItsSecond(t *testing.T) {
	t.Parallel()
	h := start(t)
	early, late := h.send(`"validity_period":60`), h.send(`"validity_period":60`)
	h.wall.Add(59 * time.Second)
	h.check(early.Token, early.code).right()
	h.wall.Add(time.Second)
	for range 2 {
		h.check(late.Token, late.code).wants(http.StatusBadRequest, 197)
	}
	h.validate(`{"phone_number":"+33612345678","code":"`+late.code+`"}`).wants(http.StatusBadRequest, 197)
}

func TestO29WhatIsMissingIsAskedForInOrderAndCountsNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	for body, code := range map[string]int{
		`{"code":"1"}`:                           194,
		`{}`:                                     194,
		`{"otp_request_token":"T"}`:              195,
		`{"otp_request_token":"T","code":""}`:    195,
		`{"otp_request_token":"T","code":"  "}`:  195,
		`{"otp_request_token":"T","code":null}`:  195,
		`{"otp_request_token":"T","code":true}`:  195,
		`{"otp_request_token":"T","code":["1"]}`: 195,
		`{"otp_request_token":"","code":"1"}`:    194,
		`{"otp_request_token":[],"code":"1"}`:    194,
		`{"phone_number":"abc","code":"1"}`:      194,
		`{"phone_number":"abc"}`:                 194,
		`{"phone_number":true,"code":"1"}`:       194,
		`{"phone_number":"+33612345678"}`:        195,
	} {
		h.validate(withToken(body, s.Token)).wants(http.StatusBadRequest, code)
	}
	if r := h.record(s.Token); r.Attempts != 0 || r.State != otp.Active {
		t.Errorf("%d attempts were counted", r.Attempts)
	}
}

// withToken puts the token in the place of T.
func withToken(body, token string) string {
	const mark = `"otp_request_token":"T"`
	for i := 0; i+len(mark) <= len(body); i++ {
		if body[i:i+len(mark)] == mark {
			return body[:i+len(mark)-2] + token + body[i+len(mark)-1:]
		}
	}
	return body
}

func TestO30AnUnknownTokenIsNoOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	for _, token := range []string{
		`"otp_000000000000000000000000"`, `"OTP_000000000000000000000000"`, `"x"`, `7`, `" ` + s.Token + `"`, `"` + s.Token + `\n"`, `"` + s.Token + `0"`,
	} {
		h.validate(`{"otp_request_token":`+token+`,"code":"`+s.code+`"}`).wants(http.StatusBadRequest, 198)
	}
	h.check(s.Token, s.code).right()
}

func TestO31ANumberAloneMeansItsLastOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	first, second := h.send(""), h.send("")
	const byNumber = `{"phone_number":"0033 612345678","code":"`
	h.validate(byNumber + otherThan(first.code, second.code) + `"}`).leaves(2)
	h.validate(byNumber + second.code + `"}`).right()
	h.validate(byNumber+first.code+`"}`).wants(http.StatusBadRequest, 198) // it falls back to no older one
}

// otherThan is code, or another one if it is by chance taken.
func otherThan(code, taken string) string {
	if code == taken {
		return wrong(code)
	}
	return code
}

func TestO32AnOlderOTPStaysValidByItsToken(t *testing.T) {
	t.Parallel()
	h := start(t)
	first, second := h.send(""), h.send("")
	h.validate(`{"phone_number":"+33612345678","code":"` + wrong(second.code) + `"}`).leaves(2)
	h.validate(`{"phone_number":"+33612345678","code":"` + second.code + `"}`).right()
	h.check(first.Token, first.code).right()
}

func TestO33ANumberNeverUsedHasNoOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.send("")
	h.validate(`{"phone_number":"+447400123456","code":"1"}`).wants(http.StatusBadRequest, 198)
}

func TestO34TokenAndNumberMustFitTogether(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.sendBody(`{"phone_number":"+447400123456"}`)
	s := h.send("")
	for _, number := range []string{`"+447400123456"`, `"abc"`, `true`, `[]`, `"+99912345678"`} {
		h.validate(`{"otp_request_token":"`+s.Token+`","phone_number":`+number+`,"code":"`+s.code+`"}`).wants(http.StatusBadRequest, 198)
	}
	h.validate(`{"otp_request_token":{},"phone_number":"+33612345678","code":"`+s.code+`"}`).wants(http.StatusBadRequest, 198)
	if r := h.record(s.Token); r.Attempts != 0 {
		t.Errorf("%d attempts were counted", r.Attempts)
	}
	h.check(s.Token, s.code).right()
}

func TestO35TokenAndNumberThatFitTogether(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	h.validate(`{"otp_request_token":"` + s.Token + `","phone_number":"0033612345678","code":"` + s.code + `"}`).right()
	s = h.send("")
	h.validate(`{"otp_request_token":"` + s.Token + `","phone_number":null,"code":"` + s.code + `"}`).right()
}

func TestO36LostZerosArePutBack(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, typed := range []string{`4217`, `"4217"`, `"04217"`, `"004217"`, `4217.0`} {
		h.random.draw("0123456789", "004217")
		s := h.send("")
		if s.code != "004217" {
			t.Fatal("the generator did not yield what it should")
		}
		h.validate(`{"otp_request_token":"` + s.Token + `","code":"0004217"}`).leaves(2)
		h.validate(`{"otp_request_token":"` + s.Token + `","code":"42170"}`).leaves(1)
		h.validate(`{"otp_request_token":"` + s.Token + `","code":` + typed + `}`).right()
	}
}

func TestO37LettersMatchExactlyAndOuterBlanksDoNotCount(t *testing.T) {
	t.Parallel()
	h := start(t)
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	h.random.draw(alphabet, "aB3dE9")
	s := h.send(`"allow_upper_case":true,"allow_lower_case":true`)
	if s.code != "aB3dE9" {
		t.Fatal("the generator did not yield what it should")
	}
	h.check(s.Token, "ab3de9").leaves(2)
	h.check(s.Token, " aB3dE9 ").right()
}

func TestO38ABoundOTPWantsTheSameAddress(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send(`"recipient_ip":"192.0.2.7"`)
	h.check(s.Token, s.code).leaves(2)
	from := func(address string) string {
		return `{"otp_request_token":"` + s.Token + `","recipient_ip":"` + address + `","code":"` + s.code + `"}`
	}
	h.validate(from("192.0.2.8")).leaves(1)
	h.validate(from("::ffff:192.0.2.7")).right()

	s = h.send(`"recipient_ip":" 2001:DB8::0:1 "`)
	h.validate(from("192.0.2.7, 2001:db8::1")).leaves(2)
	h.validate(from("0")).leaves(1)
	h.validate(from("2001:db8:0::1")).right()
}

func TestO39WhatIsNoAddressBindsNothing(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, address := range []string{`"0"`, `"not-an-ip"`, `""`, `0`, `"0.0.0.0"`, `"::"`, `"::ffff:0.0.0.0"`, `null`, `true`, `"192.0.2.7:80"`} {
		s := h.send(`"recipient_ip":` + address)
		h.check(s.Token, s.code).right()
		s = h.send(`"recipient_ip":` + address)
		h.validate(`{"otp_request_token":"` + s.Token + `","recipient_ip":"192.0.2.7","code":"` + s.code + `"}`).right()
	}
}

func TestAnAccountMayLetTheAddressBeLeftOut(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{settings: map[string]string{"octopush.recipient_ip": "if_present"}})
	s := h.send(`"recipient_ip":"192.0.2.7"`)
	h.validate(`{"otp_request_token":"` + s.Token + `","recipient_ip":"192.0.2.8","code":"` + s.code + `"}`).leaves(2)
	h.validate(`{"otp_request_token":"` + s.Token + `","recipient_ip":"x","code":"` + s.code + `"}`).leaves(1)
	h.check(s.Token, s.code).right()
	matches(t, "ticket", s.Ticket, `sms_[0-9a-f]{13}`)
	s = h.send(`"recipient_ip":"192.0.2.7"`)
	h.validate(`{"phone_number":"+33612345678","code":"` + s.code + `"}`).right()
	h.check("otp_000000000000000000000000", "1").wants(http.StatusBadRequest, 198)
}

func TestO42AnotherAccountsTokenIsNoOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	s := h.send("")
	other := []header{{"api-login", "other@example.org"}, {"api-key", otherKey}}
	for _, body := range []string{
		`{"otp_request_token":"` + s.Token + `","code":"` + s.code + `"}`,
		`{"phone_number":"+33612345678","code":"` + s.code + `"}`,
		`{"otp_request_token":"` + s.Token + `","phone_number":"+33612345678","code":"` + s.code + `"}`,
	} {
		a := h.validate(body, other...).wants(http.StatusBadRequest, 198)
		if unknown := h.check("otp_000000000000000000000000", "1"); unknown.body != a.body {
			t.Errorf("another account's OTP answers %s, none %s", a.body, unknown.body)
		}
	}
	h.check(s.Token, s.code).right()
}

func TestO43ParallelWrongCodesAreCountedExactly(t *testing.T) {
	t.Parallel()
	h := start(t)
	for range 20 {
		s := h.send("")
		counted := h.parallel(10, func(int) reply { return h.check(s.Token, wrong(s.code)) })
		if counted["199"] != 3 || counted["196"] != 7 {
			t.Fatalf("codes %v; want three 199 and seven 196", counted)
		}
	}
}

func TestOfParallelRightCodesOneIsRight(t *testing.T) {
	t.Parallel()
	h := start(t)
	for range 20 {
		s := h.send("")
		counted := h.parallel(10, func(i int) reply {
			if i%2 == 0 {
				return h.validate(`{"phone_number":"+33612345678","code":"` + s.code + `"}`)
			}
			return h.check(s.Token, s.code)
		})
		if counted["0"] != 1 || counted["198"] != 9 {
			t.Fatalf("codes %v; want one 0 and nine 198", counted)
		}
	}
}

func TestARightCodeAmongParallelWrongOnesIsRightAtMostOnce(t *testing.T) {
	t.Parallel()
	h := start(t)
	for range 20 {
		s := h.send("")
		counted := h.parallel(12, func(i int) reply {
			if i%4 == 0 {
				return h.check(s.Token, s.code)
			}
			return h.check(s.Token, wrong(s.code))
		})
		end := counted["198"] + counted["196"]
		if counted["0"] > 1 || counted["0"]+counted["199"] > 3 || counted["0"]+counted["199"]+end != 12 {
			t.Fatalf("codes %v; want at most one 0 and three compared", counted)
		}
		if counted["0"] == 1 && counted["196"] > 0 || counted["0"] == 0 && counted["199"] != 3 {
			t.Fatalf("codes %v are of no single order", counted)
		}
	}
}

// parallel makes n calls at once and counts the codes of their answers.
func (h *harness) parallel(n int, call func(i int) reply) map[string]int {
	h.t.Helper()
	var (
		mu      sync.Mutex
		counted = map[string]int{}
		begin   = make(chan struct{})
		calls   sync.WaitGroup
	)
	for i := range n {
		calls.Go(func() {
			<-begin
			a := call(i)
			mu.Lock()
			defer mu.Unlock()
			counted[a.Code.String()]++
		})
	}
	close(begin)
	calls.Wait()
	return counted
}
